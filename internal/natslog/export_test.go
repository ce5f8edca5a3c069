package natslog

import "time"

// Keep changes what a Purger keeps.
func (p *Purger) Keep(d time.Duration) { p.keep = d }
