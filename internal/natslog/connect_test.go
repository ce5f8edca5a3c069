package natslog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestPermissionMissing: a server that denies a subject does not answer, so that the client only knows that
// its time is up. The log names the subject.
func TestPermissionMissing(t *testing.T) {
	t.Parallel()
	for _, denied := range []string{"$JS.API.STREAM.INFO.HOOKTAIL_test", "ht.test.d.01", "ht.test.fence", "$JS.API.CONSUMER.CREATE.>", "$KV.HOOKTAIL_test.>", "_INBOX.>"} {
		t.Run(denied, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, func(o *server.Options) {
				limited := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{denied}}}
				if strings.HasPrefix(denied, "_INBOX") {
					limited = &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{denied}}}
				}
				o.Users = []*server.User{{Username: "all", Password: "a"}, {Username: "limited", Password: "l", Permissions: limited}}
			})
			as := func(user string) string { return strings.Replace(s.URL(), "://", "://"+user+"@", 1) }
			openAt(t, as("all:a"), 1)
			lines := make(lines, 100)
			l, err := natslog.Open(natslog.Options{Slot: "test", URL: as("limited:l"), Log: slog.New(slog.NewTextHandler(lines, nil))})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if err := everything(ctx, l); err == nil {
				t.Error("nothing was denied")
			}
			wait(t, func() error {
				select {
				case line := <-lines:
					if strings.Contains(line, "NATS reports an error") && strings.Contains(line, strings.TrimSuffix(denied, ">")) {
						return nil
					}
					return fmt.Errorf("the log says instead: %s", line)
				default:
					return errors.New("the log does not name the subject")
				}
			})
		})
	}
}

// lines are those of a log.
type lines chan string

// Write implements io.Writer.
func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// everything writes to the log, reads it, and takes a bookmark.
func everything(ctx context.Context, l *natslog.Log) error {
	w, err := tryReader(ctx, l)
	if err != nil {
		return err
	}
	if err := w.Enqueue(ctx, to1(event(0x100))); err != nil {
		return err
	}
	bookmarks, err := l.Bookmarks(ctx)
	if err != nil {
		return err
	}
	if _, err := bookmarks.Take(ctx, 1, 1); err != nil {
		return err
	}
	tail, err := l.Tail(ctx, allMarks())
	if err == nil {
		tail.Close()
	}
	return err
}

// TestServerIsTooOld: a reader says so, and writes nothing. The server is one that claims to be older.
func TestServerIsTooOld(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	before := openAt(t, s.URL(), 1)
	l := openAt(t, claims(t, s, "2.11.9"), 1)
	if _, err := tryReader(t.Context(), l); !errors.Is(err, natslog.ErrOldServer) || !strings.Contains(err.Error(), "2.11.9") {
		t.Errorf("the reader begins: %v", err)
	}
	if end := info(t, before).State.LastSeq; end != 0 {
		t.Errorf("%d messages were written", end)
	}
}

// TestServerThatIsAwayIsNotTooOld: a connection that is lost when a reader begins is not taken for one
// to an old server.
func TestServerThatIsAwayIsNotTooOld(t *testing.T) {
	t.Parallel()
	l := openAt(t, natstest.Start(t, nil).URL(), 1)
	l.Close()
	if _, err := tryReader(t.Context(), l); err == nil || errors.Is(err, natslog.ErrOldServer) {
		t.Errorf("the reader begins: %v", err)
	}
}

// claims is the address of the server under another version.
func claims(t *testing.T, s *natstest.Server, version string) (url string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "nats://"))
		if err != nil {
			return
		}
		defer server.Close()
		go io.Copy(server, client) //nolint:errcheck // it ends with the test
		known, some := regexp.MustCompile(`"version":"[^"]*"`), make([]byte, 64<<10)
		for {
			n, err := server.Read(some)
			if err != nil {
				return
			}
			if _, err := client.Write(known.ReplaceAll(some[:n], []byte(`"version":"`+version+`"`))); err != nil {
				return
			}
		}
	}()
	return "nats://" + listener.Addr().String()
}
