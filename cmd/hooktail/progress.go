package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

// progress shows how far a command has come: on a terminal in one line that is rewritten,
// otherwise in a new line every 10 seconds.
type progress struct {
	out      io.Writer
	terminal bool
	total    int64
	done     int64
	begun    time.Time
	shown    time.Time
	open     bool // the line on the terminal has no newline yet
}

// Intervals between two updates.
const (
	progressOnTerminal = 100 * time.Millisecond
	progressElsewhere  = 10 * time.Second
)

func newProgress(out io.Writer, total int64, now time.Time) *progress {
	return &progress{out: out, terminal: display.NewScreen(out, nil).Terminal, total: total, begun: now, shown: now}
}

// Step counts a row and shows its id.
func (p *progress) Step(id int64, now time.Time) {
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

// End writes the missing newline on the terminal.
func (p *progress) End() {
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
}
