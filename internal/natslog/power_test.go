package natslog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestPowerLossLosesNothing: after a loss of power the log has what was synced, whatever it had
// acknowledged. What the slot was not confirmed for is written again. The same without holding
// the confirmation back loses events: that is the mutation.
func TestPowerLossLosesNothing(t *testing.T) {
	t.Parallel()
	for _, alive := range []bool{true, false} {
		t.Run(fmt.Sprintf("reader alive %t", alive), func(t *testing.T) {
			t.Parallel()
			if lost := powerLoss(t, 2*time.Minute, alive); lost != 0 {
				t.Errorf("%d of 20 events are lost", lost)
			}
		})
	}
	t.Run("mutation", func(t *testing.T) {
		t.Parallel()
		if lost := powerLoss(t, 0, false); lost != 10 {
			t.Errorf("confirmed at once, %d of the 10 events that were not synced are lost", lost)
		}
	})
}

// powerLoss writes ten events, which are synced, and ten that are not, cuts the power, and
// returns how many events the log does not have in the end.
func powerLoss(t *testing.T, interval time.Duration, alive bool) (lost int) {
	s := natstest.Start(t, nil)
	l := open(t, s)
	r := newReader(t, l)
	hold := natslog.NewHoldback(r.Writer, interval, slog.New(slog.DiscardHandler))
	r.write(t, 1, 10)
	synced := s.Copy()
	r.write(t, 11, 20)
	position := lsn(20*0x100 + 1)
	confirmed := hold.Hold(position) // of the slot, at the loss of power

	s.Stop()
	s.CutBack(synced)
	s.Start()
	if alive {
		if err := retried(t, func() error { return r.Enqueue(t.Context(), to1(event(0x2000))) }); !errors.Is(err, natslog.ErrFenced) {
			t.Errorf("the reader that is alive goes on: %v", err)
		}
	}
	answers(t, l)
	next := newReader(t, l)
	next.passed(confirmed)
	for n := 1; n <= 20; n++ {
		if lsn(n*0x100) >= confirmed {
			next.write(t, n, n)
		}
	}
	return 20 - len(events(t, l))
}

// TestHoldbackNoticesTheLoss: a reader that has nothing to write notices as well that the log
// has lost its end, before anything of it is confirmed.
func TestHoldbackNoticesTheLoss(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	r := newReader(t, l)
	if err := r.Enqueue(t.Context(), to1(event(0x100))); err != nil {
		t.Fatal(err)
	}
	synced := s.Copy()
	if err := r.Enqueue(t.Context(), to1(event(0x200))); err != nil {
		t.Fatal(err)
	}
	r.passed(0x201)
	s.Stop()
	s.CutBack(synced)
	s.Start()
	hold := natslog.NewHoldback(r.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	if err := hold.Run(t.Context()); !errors.Is(err, natslog.ErrFenced) {
		t.Errorf("the end that is lost is not noticed: %v", err)
	}
	if confirmed := hold.Hold(0x201); confirmed != 0 {
		t.Errorf("%s may be confirmed", confirmed)
	}
}

// TestHoldbackReleases: what was in the log for two intervals is confirmed, and no more than the
// position.
func TestHoldbackReleases(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	r := newReader(t, l)
	hold := natslog.NewHoldback(r.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	if err := r.Enqueue(t.Context(), to1(event(0x100))); err != nil {
		t.Fatal(err)
	}
	r.passed(0x101)
	go hold.Run(t.Context()) //nolint:errcheck // it ends with the test
	wait(t, func() error {
		if confirmed := hold.Hold(0x300); confirmed != 0x101 {
			return fmt.Errorf("%s may be confirmed", confirmed)
		}
		return nil
	})
	if confirmed := hold.Hold(0x50); confirmed != 0x50 {
		t.Errorf("%s may be confirmed of 0/50", confirmed)
	}
}

// TestSenderAfterPowerLoss: a sender whose bookmark is beyond what the log has left delivers
// what comes again once more only if it was not done.
func TestSenderAfterPowerLoss(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	r := newReader(t, l)
	for n := 1; n <= 2; n++ {
		if err := r.Enqueue(t.Context(), to1(event(lsn(n*0x100)))); err != nil {
			t.Fatal(err)
		}
	}
	synced := s.Copy()
	for n := 3; n <= 4; n++ {
		if err := r.Enqueue(t.Context(), to1(event(lsn(n*0x100)))); err != nil {
			t.Fatal(err)
		}
	}
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	messages, progress := take(t, tail, 3) // and the fourth is not read
	tail.Close()
	for i, m := range messages {
		taken, targets, err := progress[i].Take(m)
		if err != nil || len(targets) != 1 {
			t.Fatalf("%v, %v", targets, err)
		}
		progress[i].Done(taken, 1)
	}
	mark, changed := progress[0].Bookmark()
	if !changed || mark.Seq != natslog.FenceMessages+3 {
		t.Fatalf("the bookmark is %+v", mark)
	}
	s.Stop()
	s.CutBack(synced)
	s.Start()
	answers(t, l)
	next := newReader(t, l)
	for _, n := range []int{4, 3} { // in another order than before
		if err := next.Enqueue(t.Context(), to1(event(lsn(n*0x100)))); err != nil {
			t.Fatal(err)
		}
	}
	marks := allMarks()
	marks[1] = mark
	again, err := l.Tail(t.Context(), marks)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	messages, progress = take(t, again, 4)
	var sent []cdc.LSN
	for i, m := range messages {
		_, targets, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		if len(targets) > 0 {
			sent = append(sent, m.Event.ID.Commit)
		}
	}
	if len(sent) != 1 || sent[0] != 0x400 {
		t.Errorf("sent again: %v", sent)
	}
}
