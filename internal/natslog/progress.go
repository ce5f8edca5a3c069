package natslog

import (
	"strconv"
	"strings"
	"sync"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Progress records which messages of a partition a sender has taken, and which deliveries are
// done. It has no clock and does no I/O. It is safe for concurrent use.
type Progress struct {
	partition int

	mu      sync.Mutex // guards the fields below
	mark    Bookmark   // without Done
	last    place      // of the last message read; the zero one: none
	open    []*Taken   // in the order of the log; the first one has undelivered targets
	done    *ids
	changed bool  // since the last Bookmark
	hole    *Hole // not nil: the partition has stopped
}

// Taken is a message with unfinished deliveries.
type Taken struct {
	*Message
	left int // number of unfinished deliveries; guarded by Progress.mu
}

// NewProgress continues from the bookmark. verified states that the log has the bookmark's
// message at its sequence, so that the last message read is known.
func NewProgress(partition int, mark Bookmark, verified bool) *Progress {
	p := &Progress{partition: partition, mark: mark, done: idsOf(mark.Done)}
	p.mark.Done = nil
	if verified {
		p.last = place{mark.Seq, mark.ID, mark.Number}
	}
	if mark.ID != "" {
		p.done.add(mark.ID)
	}
	return p
}

// Take accepts the partition's next message and returns it with the targets that have not
// received the event; nil if there are none. A message after a hole stops the partition: Take
// returns the *Hole, and nothing for later messages.
func (p *Progress) Take(m *Message) (*Taken, []hook.Target, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hole != nil {
		return nil, nil, nil
	}
	if m.Before != p.last.id && m.Before != "" && !p.isDone(m.Before) || m.Before == "" && p.last.id != "" {
		p.hole = &Hole{Partition: p.partition, Missing: m.Before, Seq: m.Seq}
		return nil, nil, p.hole
	}
	p.last = m.place()
	t := &Taken{Message: m}
	var targets []hook.Target
	if m.Event != nil && !p.isDone(m.ID) {
		for _, target := range m.Targets {
			if !p.done.has(part(m.ID, target.Hook)) {
				targets = append(targets, target)
			}
		}
	}
	t.left = len(targets)
	p.open = append(p.open, t)
	p.advance()
	return t, targets, nil
}

// Done records that the message was delivered to the hook.
func (p *Progress) Done(t *Taken, hook int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
	if t.left--; t.left > 0 {
		p.done.add(part(t.ID, hook))
		return
	}
	p.advance()
}

// advance moves the bookmark past delivered messages. The caller holds mu.
func (p *Progress) advance() {
	for len(p.open) > 0 && p.open[0].left == 0 {
		t := p.open[0]
		p.open, p.changed = p.open[1:], true
		p.mark.Seq, p.mark.ID, p.mark.Number = t.Seq, t.ID, t.Number
		if t.Prefix.LSN > p.mark.Prefix.LSN {
			p.mark.Prefix = t.Prefix
		}
		p.finish(t)
	}
}

// finish records that all deliveries of the message are done. The caller holds mu.
func (p *Progress) finish(t *Taken) {
	for _, target := range t.Targets {
		delete(p.done.others, part(t.ID, target.Hook))
	}
	switch {
	case strings.Contains(t.ID, adopted): // no prefix tells when to forget it
		delete(p.done.others, t.ID)
	case !p.mark.Prefix.hasID(t.ID):
		p.done.add(t.ID)
	}
}

// isDone reports whether all deliveries of the message are done. The caller holds mu.
func (p *Progress) isDone(id string) bool {
	return p.mark.Prefix.hasID(id) || p.done.has(id)
}

// Bookmark returns the partition's bookmark, and whether it has changed since the last call.
func (p *Progress) Bookmark() (mark Bookmark, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed {
		return p.mark, false
	}
	p.changed = false
	p.done.pass(p.mark.Prefix)
	mark = p.mark
	mark.Done = p.done.list()
	for _, t := range p.open {
		if t.left == 0 && len(t.Targets) > 0 {
			mark.Done = append(mark.Done, t.ID)
		}
	}
	return mark, true
}

// Lost records that the last bookmark was not written.
func (p *Progress) Lost() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// Hole returns why the partition has stopped, nil if it has not.
func (p *Progress) Hole() *Hole {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hole
}

// next returns the place of the last message taken, and whether m is the one after it. What
// follows a hole is.
func (p *Progress) next(m *Message) (last place, follows bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.hole != nil || p.last.id == m.Before && (p.last.number == 0 || m.Number == p.last.number+1)
}

// part is the entry of Bookmark.Done for one hook's delivery.
func part(id string, hook int64) string { return id + "/" + strconv.FormatInt(hook, 10) }

// hasID reports whether the message with that id is below the prefix.
func (p Prefix) hasID(id string) bool {
	if rest, ok := strings.CutPrefix(id, changePrefix); ok {
		commit, _, _ := strings.Cut(rest, "-")
		lsn, err := strconv.ParseUint(commit, 16, 64)
		return err == nil && cdc.LSN(lsn) < p.LSN
	}
	event, _, isAdopted := strings.Cut(id, adopted)
	parsed, err := state.ParseID(event)
	return err == nil && !isAdopted && p.Has(parsed)
}
