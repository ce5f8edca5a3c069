package natslog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestTailNoticesThatTheLogWasCutBack: the servers lose their power while a sender reads, and the
// reader writes what they have lost again, behind an event that is new. The sender does not read
// on behind the sequences that it has passed, where that event is.
func TestTailNoticesThatTheLogWasCutBack(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own writer %t", own), func(t *testing.T) {
			t.Parallel()
			tailNoticesThatTheLogWasCutBack(t, own)
		})
	}
}

// tailNoticesThatTheLogWasCutBack has the sender's own process write again, or another one.
func tailNoticesThatTheLogWasCutBack(t *testing.T, own bool) {
	t.Helper()
	const (
		synced = 2
		lost   = natslog.FenceMessages + 100
		added  = 5000
	)
	s := natstest.Start(t, nil)
	l := openBoth(t, s, 1<<20)
	r := newReader(t, l)
	r.write(t, 1, synced)
	copied := s.Copy()
	r.write(t, synced+1, lost)
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	messages, progress := take(t, tail, lost)
	for i, m := range messages {
		taken, targets, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		progress[i].Done(taken, targets[0].Hook)
	}
	s.Stop()
	s.CutBack(copied)
	s.Start()
	// The sender is connected again only when everything is written.
	other := open(t, s)
	if own {
		other = l
	}
	answers(t, other)
	next := newReader(t, other)
	next.write(t, added, added)
	next.passed(0)
	for n := synced + 1; n <= lost+10; n++ {
		if err := next.Enqueue(t.Context(), to1(event(lsn(n*0x100)))); err != nil {
			t.Fatal(err)
		}
	}
	marks := allMarks()
	marks[1], _ = progress[0].Bookmark()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var sent []int
	for !slices.Contains(sent, lost+10) {
		m, p, err := tail.Next(ctx)
		if errors.Is(err, natslog.ErrRewound) {
			if tail, err = l.Tail(ctx, marks); err != nil {
				t.Fatal(err)
			}
			defer tail.Close()
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			continue
		}
		_, targets, err := p.Take(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(targets) > 0 {
			sent = append(sent, int(m.Event.ID.Commit)/0x100)
		}
	}
	want := []int{added}
	for n := lost + 1; n <= lost+10; n++ {
		want = append(want, n)
	}
	if !slices.Equal(sent, want) {
		t.Errorf("sent after the loss of power: %v, not %v", sent, want)
	}
}
