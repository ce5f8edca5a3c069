package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

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

// Step counts the row of that id.
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

// End leaves the terminal's line.
func (p *progress) End() {
	if p.open {
		fmt.Fprintln(p.out)
		p.open = false
	}
}
