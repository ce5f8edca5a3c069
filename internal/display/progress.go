package display

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how far a command has come: on a terminal as a bar, elsewhere in a new
// line every 10 seconds.
type Progress struct {
	out   io.Writer
	unit  string                   // what is counted, such as rows
	mark  string                   // what Step shows, such as id
	bar   *progressbar.ProgressBar // nil: the output is not a terminal
	total int64
	done  int64
	begun time.Time
	shown time.Time
}

// progressElsewhere is the interval between two lines without a terminal.
const progressElsewhere = 10 * time.Second

// NewProgress is at the beginning of a number of units, such as rows, which are named by
// marks, such as ids.
func NewProgress(out io.Writer, total int64, unit, mark string, now time.Time) *Progress {
	p := &Progress{out: out, unit: unit, mark: mark, total: total, begun: now, shown: now}
	if NewScreen(out, nil).Terminal {
		p.bar = newBar(out, unit, total)
	}
	return p
}

func newBar(out io.Writer, unit string, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(total, 1),
		progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit),
		progressbar.OptionUseANSICodes(true), progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetTheme(progressbar.ThemeASCII))
}

// Step counts a row and shows its id.
func (p *Progress) Step(id int64, now time.Time) {
	p.done++
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("up to %s %d", p.mark, id))
		_ = p.bar.Set64(p.done) // rows added after the count do not move a full bar
		return
	}
	if now.Sub(p.shown) < progressElsewhere {
		return
	}
	p.shown = now
	fmt.Fprintf(p.out, "%d of %d %s, %.0f/s, up to %s %d\n", p.done, p.total, p.unit, float64(p.done)/now.Sub(p.begun).Seconds(), p.mark, id)
}

// End writes the missing newline on the terminal.
func (p *Progress) End() {
	if p.bar != nil && p.done > 0 {
		fmt.Fprintln(p.out)
		p.bar = nil
	}
}
