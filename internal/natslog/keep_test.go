package natslog_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestPurgeKeeps: messages that are young enough stay, although they are delivered and
// confirmed, and so do the payloads of all that stays.
func TestPurgeKeeps(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	r := newReader(t, l)
	large := []byte(`"annotation": "` + strings.Repeat("a", 600<<10) + `"`)
	put := func(n int) {
		e := event(lsn(n * 0x100))
		e.Payload = large
		if err := r.Enqueue(t.Context(), to(e, func() {}, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 5; n++ {
		put(n)
	}
	between := time.Now()
	for n := 6; n <= 8; n++ {
		put(n)
	}
	r.passed(0x801)
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	messages, progress := take(t, tail, 8)
	tail.Close()
	bookmarks, err := l.Bookmarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		taken, targets, err := progress[0].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		progress[0].Done(taken, targets[0].Hook)
	}
	if _, err := bookmarks.Take(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	mark, _ := progress[0].Bookmark()
	if err := bookmarks.Write(t.Context(), 1, mark); err != nil {
		t.Fatal(err)
	}
	hold := natslog.NewHoldback(r.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go hold.Run(ctx) //nolint:errcheck // it ends with the test
	purger := natslog.NewPurger(l, hold, time.Hour)
	purged := func(since time.Time, left uint64, needed natslog.Needed) {
		t.Helper()
		purger.KeepSince(since)
		wait(t, func() error {
			got, err := purger.Run(t.Context(), 0xF00)
			if err != nil {
				return err
			}
			if s, err := l.Survey(t.Context()); err != nil || s.Messages != left {
				return fmt.Errorf("%d messages, not %d: %w", s.Messages, left, err)
			}
			if diff := cmp.Diff(needed, got); diff != "" {
				return fmt.Errorf("needed (-want +got):\n%s", diff)
			}
			return nil
		})
	}
	ids := func(n int) []string { return []string{fmt.Sprintf("1-%X-0", n*0x100)} }
	purged(between, 3, natslog.Needed{After: 6})
	purged(time.Now().Add(time.Hour), 1, natslog.Needed{After: 9, Events: ids(8)})
}

// TestPurgeKeepsByTheServersClock: the reader's clock is a year ahead of that of the servers, by which
// messages have their age.
func TestPurgeKeepsByTheServersClock(t *testing.T) {
	t.Parallel()
	l := openAt(t, yearBehind(t, natstest.Start(t, nil)), 1)
	r := newReader(t, l)
	r.write(t, 1, 5)
	delivered(t, l, 5)
	hold := natslog.NewHoldback(r.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	go hold.Run(t.Context()) //nolint:errcheck // it ends with the test
	purger := natslog.NewPurger(l, hold, time.Nanosecond)
	for n := range 2 { // the bookmark of the first time counts the second time
		r.write(t, 6+n, 6+n)
		end := info(t, l).State.LastSeq
		wait(t, func() error {
			if hold.End() < end {
				return errors.New("no sample of the event is durable")
			}
			_, err := purger.Run(t.Context(), 0xF00)
			return err
		})
	}
	if s, err := l.Survey(t.Context()); err != nil || s.Messages != 7 {
		t.Errorf("%d messages are left of 7: %v", s.Messages, err)
	}
}

// yearBehind is the address of a server whose answers tell last year's time.
func yearBehind(t *testing.T, s *natstest.Server) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	year := time.Now().UTC().Year()
	now, then := fmt.Appendf(nil, `"ts":"%d-`, year), fmt.Appendf(nil, `"ts":"%d-`, year-1)
	serve := func(client net.Conn) {
		defer client.Close()
		server, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "nats://"))
		if err != nil {
			return
		}
		defer server.Close()
		go io.Copy(server, client) //nolint:errcheck // it ends with the connection
		for lines := bufio.NewReader(server); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if _, err := client.Write(bytes.ReplaceAll(line, now, then)); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(client)
		}
	}()
	return "nats://" + listener.Addr().String()
}
