package logging_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/internal/logging"
)

// TestPace: lines come at once, then ever more rarely, and account for every failure.
func TestPace(t *testing.T) {
	var p logging.Pace
	now := time.Unix(0, 0)
	var lines []time.Duration
	told := 0
	const each = 100 * time.Millisecond
	for i := range 36_000 {
		at := now.Add(time.Duration(i) * each)
		if p.Failed(at) {
			told += p.Tell(at)
			lines = append(lines, at.Sub(now))
		}
	}
	if told+p.Untold() != 36_000 {
		t.Errorf("%d told, %d untold", told, p.Untold())
	}
	for i, want := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 63 * time.Second, 123 * time.Second} {
		if lines[i] != want {
			t.Errorf("line %d after %s, want %s", i, lines[i], want)
		}
	}
	if len(lines) > 66 {
		t.Errorf("%d lines in an hour", len(lines))
	}
	end := now.Add(time.Hour)
	if took, failures, ok := p.Over(end); took != time.Hour || failures != 36_000 || !ok {
		t.Errorf("over: %s, %d, %v", took, failures, ok)
	}
	if _, _, ok := p.Over(end); ok {
		t.Error("over twice")
	}
	if p.Failed(end.Add(time.Second)) {
		t.Error("a failure right after an outage is told at once")
	}
	if _, _, ok := p.Over(end.Add(time.Second)); ok {
		t.Error("a failure that no line has spoken of is over with a line")
	}
	if later := end.Add(time.Hour); !p.Failed(later) || p.Tell(later) != 2 {
		t.Error("a failure long after the others is not told at once, with the one that was untold")
	}
}

func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		var r logging.Repeat
		r.Worked(t.Context(), log, "fine")
		for range 100 {
			r.Failed(context.Background(), log, slog.LevelError, "broken", slog.Any("error", errors.New("no")))
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
		}
		r.Worked(t.Context(), log, "fine")
		r.Worked(t.Context(), log, "fine")
		for text, want := range map[string]int{
			"level=DEBUG msg=broken error=no\n":             96,
			"level=ERROR msg=broken error=no failures=1\n":  1,
			"level=ERROR msg=broken error=no failures=10\n": 1,
			"level=ERROR msg=broken error=no failures=20\n": 1,
			"level=ERROR msg=broken error=no failures=40\n": 1,
			"level=INFO msg=fine after=10s failures=100\n":  1,
			"msg=fine": 1,
		} {
			if n := strings.Count(out.String(), text); n != want {
				t.Errorf("%d times %q, want %d:\n%s", n, text, want, out.String())
			}
		}
	})
}
