package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/mapping"
)

// A person is waiting: a receiver that does not recover soon ends the command.
const (
	backfillAttempts = 5
	backfillBackoff  = 250 * time.Millisecond // doubled each time
	backfillPatience = time.Minute            // with a receiver that asks for time
)

// send makes attempts until one succeeds. An attempt that has begun is finished
// even when the command is interrupted: it may have been received.
func (b *backfill) send(ctx context.Context, row *mapping.BackfillRow, target dispatch.Target) error {
	m := dispatch.Message{
		ID:        row.EventID(),
		LSN:       "0/0", // PostgreSQL's own for none
		Committed: row.Updated.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		Body:      row.Event.Body(target.Action, target.Payload),
	}
	row.Event = nil // at most one body is held twice
	for {
		if err := b.pace.wait(ctx); err != nil {
			return err
		}
		m.Attempt++
		o := b.sender.Send(context.WithoutCancel(ctx), b.hook, m)
		if o.Refused == dispatch.ReasonNone && o.Result == dispatch.Result2xx {
			return nil
		}
		if isFinal(o) || m.Attempt == backfillAttempts {
			return fmt.Errorf("row %d (event %s) was not delivered to hook %d in %s: %s",
				row.ID, m.ID, b.hook.ID, display.Count(m.Attempt, "attempt"), describeOutcome(o))
		}
		delay := max(backfillBackoff<<(m.Attempt-1), min(o.RetryAfter, backfillPatience))
		if err := retry.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// isFinal reports whether another attempt would end like this one.
func isFinal(o dispatch.Outcome) bool {
	return o.Refused != dispatch.ReasonNone || o.Result == dispatch.ResultBlocked || o.Status == http.StatusGone
}

func describeOutcome(o dispatch.Outcome) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	return fmt.Sprintf("the receiver answered %d", o.Status)
}

// pace keeps requests apart, on average: what one is late the next is not. Time
// in which there were none is not made up for.
type pace struct {
	every time.Duration
	next  time.Time
}

// wait returns when the next request may be made.
func (p *pace) wait(ctx context.Context) error {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	delay := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	return retry.Sleep(ctx, delay)
}

// parseRate reads how many there may be per s, m or h, and returns the time for
// each.
func parseRate(text string) (every time.Duration, err error) {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n <= 0 || units[unit] == 0 {
		return 0, usageError{fmt.Errorf("--rate=%s is invalid: use a number per s, m or h, such as 100/s", text)}
	}
	return units[unit] / time.Duration(n), nil
}

// progress says how far the command is: on a terminal in one line that is written
// again and again, elsewhere in a line now and then.
type progress struct {
	out      io.Writer
	terminal bool
	total    int64
	done     int64
	begun    time.Time
	shown    time.Time
	open     bool // a line of the terminal is not ended
}

// How often progress is shown.
const (
	progressOnTerminal = 100 * time.Millisecond
	progressElsewhere  = 10 * time.Second
)

func newProgress(out io.Writer, total int64, now time.Time) *progress {
	return &progress{out: out, terminal: display.NewScreen(out, nil).Terminal, total: total, begun: now, shown: now}
}

// step counts the row of that id.
func (p *progress) step(id int64, now time.Time) {
	p.done++
	every := progressElsewhere
	if p.terminal {
		every = progressOnTerminal
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	text := fmt.Sprintf("%d of %d rows, %.0f/s, up to id %d", p.done, p.total, float64(p.done)/now.Sub(p.begun).Seconds(), id)
	if !p.terminal {
		fmt.Fprintln(p.out, text)
		return
	}
	const width, erase = 20, "\x1b[K"
	filled := min(width, int(width*p.done/max(p.total, 1)))
	fmt.Fprintf(p.out, "\r[%s%s] %s%s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), text, erase)
	p.open = true
}

// end leaves the terminal's line.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
}
