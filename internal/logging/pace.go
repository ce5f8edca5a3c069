package logging

import "time"

// From one line to the next it takes at least First, twice as long each time, and
// Longest in the end.
const (
	First   = time.Second
	Longest = time.Minute
)

// Pace counts the failures of one thing and says when a line is due. Every failure
// is counted once by Over, and before that at most once by a line. The zero value
// is that of something that has not failed. It is not safe for concurrent use.
type Pace struct {
	since  time.Time     // the first failure that Over has not counted; zero: none
	last   time.Time     // the last failure
	told   time.Time     // the last line
	wait   time.Duration // from the last line to the next one
	untold int           // failures since the last line
	failed int           // and since the last Over
}

// Failed counts a failure and reports whether a line is due. The first failure is
// told at once, and so is one after which Longest has passed without any.
func (p *Pace) Failed(now time.Time) (due bool) {
	if now.Sub(p.last) >= Longest {
		p.wait = 0
	}
	if p.since.IsZero() {
		p.since = now
	}
	p.last = now
	p.untold++
	p.failed++
	return !now.Before(p.Next())
}

// Tell is to be called when a line is logged; it returns how many failures the line
// has to speak of.
func (p *Pace) Tell(now time.Time) (failures int) {
	failures, p.untold = p.untold, 0
	p.told = now
	p.wait = min(max(2*p.wait, First), Longest)
	return failures
}

// Untold is how many failures no line has spoken of.
func (p *Pace) Untold() int { return p.untold }

// Next is from when on the next line is due.
func (p *Pace) Next() time.Time { return p.told.Add(p.wait) }

// Over is to be called when the thing works. If a line has spoken of the trouble,
// another one is due that says how long it took and how many failures there were,
// those among them that no line has spoken of; otherwise ok is false, and what
// failed is left to the lines to come.
func (p *Pace) Over(now time.Time) (took time.Duration, failures int, ok bool) {
	if p.since.IsZero() || p.told.Before(p.since) {
		return 0, 0, false
	}
	took, failures = now.Sub(p.since), p.failed
	p.since, p.failed, p.untold = time.Time{}, 0, 0
	return took, failures, true
}
