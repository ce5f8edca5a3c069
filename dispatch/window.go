package dispatch

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

// window is the part of a lane that has to do with the store.
//
// What the schedule holds is the lane's window: the beginning of what the hook
// is still to get. What comes after it, the tail, is in the store alone. In the
// window an item may be stored as well: then the slot does not wait for it, and
// its body is not in memory.
//
// If an item is stored, so are all that wait for it, since the slot would wait
// for them, and all that it waits for: after a crash the stored ones are there
// before the stream brings the others again. While there is a tail, the whole
// window is stored.
type window struct {
	windows  *windows
	store    *writer // nil: all is held in memory
	maxBytes int64   // of the hook's rows; 0: no bound

	stored int        // items of the schedule
	tail   bool       // there may be rows that the schedule does not have
	after  mapping.ID // of the tail, which have been read up to it
	lowest mapping.ID // event that went to the tail since then; theEnd: none did

	reading bool                    // a chunk is being read
	recent  []*item                 // went to the tail since it was asked for
	spilled bool                    // not all of those are in recent
	gone    map[mapping.ID]struct{} // from the store since then

	leaving   bool // what fails is stored at once: the process is to end
	halted    bool // and nothing starts any more
	paused    bool // by a person, or halted
	suspended bool // the rows take more space than they may
	confirmed bool // that, by the store

	fed          time.Time // when the latest item came
	parked, dead int       // rows that are committed
	bytes        int64     // of their bodies
}

// accept takes a new item on: into the window, the store or both. It reports
// false for what a suspended hook is not to have. It needs the lock.
func (l *lane) accept(it *item, now time.Time) bool {
	l.fed = now
	switch {
	case l.store == nil:
		l.schedule.add(it)
	case l.suspended || l.suspend(it):
		return false
	case l.tail:
		l.append(it)
	case l.away(now):
		l.admit(it, l.windows.fewest())
	case l.stored > 0 && l.schedule.isBehindStored(it):
		l.admit(it, l.windows.most())
	default:
		l.schedule.add(it)
	}
	return true
}

// away reports whether the hook is to get nothing for a while, as far as known.
func (l *lane) away(now time.Time) bool {
	return l.health.failing || l.paused || now.Before(l.notBefore)
}

// admit adds and stores the item, if there is room for it in the window.
func (l *lane) admit(it *item, room int) {
	if l.schedule.size >= room {
		l.beginTail()
		l.append(it)
		return
	}
	l.schedule.add(it)
	if l.schedule.projects[it.project].first == it {
		l.keepWith(it) // it joins what was apart until now
	} else {
		l.keep(it)
	}
}

// append stores the item in the tail.
func (l *lane) append(it *item) {
	l.put(it)
	l.lowest = earlier(l.lowest, it.event)
	switch {
	case !l.reading:
	case len(l.recent) < l.windows.chunk():
		l.recent = append(l.recent, it)
		delete(l.gone, it.event) // it has come once more
	default:
		l.spilled = true
	}
}

// keep stores an item of the window.
func (l *lane) keep(it *item) {
	if !it.stored {
		l.stored++
		l.put(it)
	}
}

// keepWith stores an item of the window with all that have to be with it.
func (l *lane) keepWith(it *item) {
	for other := range l.schedule.waitingFor(it) {
		l.keep(other)
	}
}

// keepAll stores the whole window.
func (l *lane) keepAll() {
	for it := range l.schedule.all() {
		l.keep(it)
		if it.state != running {
			it.body = nil
		}
	}
	if l.schedule.size > l.windows.fewest() {
		l.beginTail()
	}
}

// put has the item inserted.
func (l *lane) put(it *item) {
	it.stored = true
	l.store.add(note{kind: insert, lane: l, item: it, row: it.row()})
	l.tally(it.Action, parked)
	l.failures.stored()
}

// beginTail lets the store alone have what comes from now on, and what there is
// beyond the fewest.
func (l *lane) beginTail() {
	for it := range l.schedule.all() {
		l.keep(it)
	}
	l.setTail(true)
	l.spilled = l.reading
	n, fewest, atWork := 0, l.windows.fewest(), l.running
	l.schedule = l.schedule.rebuilt(func(it *item) bool {
		if n >= fewest && atWork == 0 {
			l.lowest = earlier(l.lowest, it.event)
			it.state = behind
			return false
		}
		n++
		if it.state == running {
			atWork--
		}
		return true
	})
	l.stored = l.schedule.size
	kept := l.waiting[:0]
	for _, it := range l.waiting {
		if it.state == waiting {
			kept = append(kept, it)
		}
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
	heap.Init(&l.waiting)
}

func (l *lane) setTail(tail bool) {
	if tail != l.tail {
		l.tail = tail
		l.windows.count(tail)
	}
}

// rewind has the tail read from that event on, since rows have come to it that
// the lane has not written.
func (l *lane) rewind(to mapping.ID) {
	l.beginTail()
	l.lowest = earlier(l.lowest, to)
}

// read asks for the next chunk of the tail if it can be of use. It needs the lock.
func (l *lane) read() {
	room, rows := l.windows.most(), l.windows.chunk()
	if l.health.failing || l.paused {
		room = l.windows.fewest()
		rows = room
	}
	if !l.tail || l.reading || l.closed || l.schedule.size >= room || l.schedule.queue.len() >= l.windows.scarce() {
		return
	}
	if parking.Compare(l.lowest, l.after) <= 0 {
		l.after = justBefore(l.lowest)
	}
	l.reading, l.lowest, l.gone = true, theEnd(), make(map[mapping.ID]struct{})
	part := parking.Part{Hook: l.hook, After: l.after, Rows: rows}
	// What went to the tail before is written first; it need not wait for what
	// comes then.
	l.store.add(note{ask: func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.start(func(ctx context.Context) { l.load(ctx, part) })
		}
		return nil
	}})
}

// load reads a part of the tail.
func (l *lane) load(ctx context.Context, part parking.Part) {
	var rows []parking.Row
	err := l.store.persist(ctx, func(ctx context.Context) (err error) {
		rows, err = l.store.store.Tail(ctx, part)
		return err
	})
	if err == nil {
		l.loaded(rows, len(rows) < part.Rows)
	}
}

// loaded adds the rows to the window, which is whole again if they are the last.
func (l *lane) loaded(rows []parking.Row, last bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.gone
	for it := range l.schedule.all() {
		known[it.event] = struct{}{}
	}
	n := 0
	for n < len(rows) && parking.Compare(rows[n].Event, l.lowest) < 0 { // what went to the tail meanwhile comes before the others
		l.after = rows[n].Event
		if _, again := known[rows[n].Event]; !again {
			known[rows[n].Event] = struct{}{}
			l.restore(&rows[n], now)
		}
		n++
	}
	recent, whole := l.recent, last && !l.spilled && areIn(l.recent, rows[n:])
	l.reading, l.recent, l.spilled, l.gone = false, nil, false, nil
	if whole {
		for _, it := range recent {
			if _, again := known[it.event]; !again {
				l.schedule.add(it)
				l.stored++
			}
		}
		l.setTail(false)
		l.after, l.lowest = theEnd(), theEnd()
	}
	l.fill(now)
}

// areIn reports whether the rows are all of items of these: otherwise they are to be
// read once more.
func areIn(items []*item, rows []parking.Row) bool {
	for i := range rows {
		if !slices.ContainsFunc(items, func(it *item) bool { return it.event == rows[i].Event }) {
			return false
		}
	}
	return true
}

// restore adds the item of a row.
func (l *lane) restore(row *parking.Row, now time.Time) {
	it := restored(row)
	it.added = now.Add(-max(0, now.Sub(row.Added))) // what the clock does from now on does not count
	it.excused = l.network.lost(now)
	l.schedule.add(it)
	l.stored++
	if it.state == ready && row.Next.After(now) {
		it.at = row.Next
		if latest := now.Add(l.policy.Cap); it.at.After(latest) { // the clock was ahead when it was written
			it.at = latest
		}
		l.schedule.hold(it)
		heap.Push(&l.waiting, it)
	}
}

// left writes down that a stored item has left the window. It needs the lock.
func (l *lane) left(it *item, v verdict) {
	l.stored--
	if l.reading {
		l.gone[it.event] = struct{}{}
	}
	n := note{kind: remove, lane: l, item: it, row: it.row()}
	switch v.step {
	case bury:
		n.kind, n.row.Reason = entomb, v.reason.String()
	case forgo:
		if !it.unstorable { // otherwise its row is dead already
			l.parked--
			l.bytes -= int64(it.bytes)
		}
		return
	}
	l.store.add(n)
}

// entombed stores an item that died without having been parked.
func (l *lane) entombed(it *item, v verdict) {
	n := note{kind: insert, lane: l, item: it, row: it.row()}
	n.row.State, n.row.Reason = parking.Dead, v.reason.String()
	it.stored = true
	l.store.add(n)
}

// wrote is called by the writer when the note has been committed.
func (l *lane) wrote(n *note) {
	it := n.item
	l.mu.Lock()
	var done func()
	var letter *letter
	switch n.kind {
	case insert:
		l.bytes += int64(n.row.Bytes)
		if n.row.State == parking.Dead {
			l.dead++
			it.unstorable = n.row.Reason == ReasonUnstorable.String()
		} else {
			l.parked++
		}
		done, letter = it.done, it.letter
		it.kept, it.done = true, nil
		if it.state != running {
			it.drop()
		}
	case remove:
		if it.unstorable {
			l.dead--
			break
		}
		l.parked--
		l.bytes -= int64(it.bytes)
	case entomb:
		l.parked--
		l.dead++
	}
	l.metrics.backlog(l.parked, l.dead)
	l.mu.Unlock()
	if n.kind == insert {
		l.finished(done, letter)
	}
}

// suspend ends the storing of a hook's deliveries when they take too much space,
// and reports whether it has. It needs the lock.
func (l *lane) suspend(it *item) bool {
	if l.maxBytes == 0 || l.bytes < l.maxBytes {
		return false
	}
	l.suspended, l.confirmed = true, false
	l.store.add(note{ask: func(ctx context.Context) error {
		err := l.store.store.Suspend(ctx, l.hook, it.event)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.confirmed = true
		}
		return err
	}})
	l.show(time.Now())
	l.log.Error("Webhook suspended: what is parked for it takes all the space that it may take; nothing more is taken on",
		"hook", l.hook, "bytes", l.bytes, "from", it.event.String(), "remedy", ReasonSuspended.remedy())
	return true
}
