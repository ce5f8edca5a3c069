package cdc

import (
	"fmt"
	"time"
	"unsafe"
)

// The memory of a part apart from its rows.
const (
	partSize   = int(unsafe.Sizeof(Part{}))
	changeSize = int(unsafe.Sizeof(Change{}))
)

// assembler builds parts of committed transactions from messages. It is pure: no clock,
// no connection. It outlives the connections of a stream and remembers what was handed
// over, so that a change repeated on a new connection is not handed over twice.
type assembler struct {
	slot      string
	rows      int // bound of a part
	bytes     int // bound of a part; unused space in its last chunk may exceed it
	position  *Position
	timelines timelines
	messages  *Relation       // relation of messages that are changes; nil: none are
	free      func(bytes int) // frees bytes of parts

	relations map[uint32]*Relation // as announced on this connection
	names     map[uint32]Table     // tables known by id, even while they are temporarily renamed
	handed    LSN                  // commit record of the last transaction handed over completely
	open      *transaction         // between Begin and Commit: nil or &last
	last      transaction
	torn      *transaction // handed over in part when the connection ended
	out       []*Part      // finished, not yet handed over
	ready     int          // bytes of out
}

// transaction is the transaction being read.
type transaction struct {
	xid     uint32
	commit  LSN
	time    time.Time
	tx      *Tx  // nil while skipped
	skipped bool // handed over completely on an earlier connection
	handed  int  // changes in finished parts
	next    int  // ordinal of the next change
	part    *Part
	arena   arena
}

// arrival is the time of a message.
type arrival struct {
	received time.Time // by the local clock
	sent     time.Time // by the database's clock
}

// add processes one message. It copies what it keeps.
func (a *assembler) add(m *message, at arrival) error {
	switch m.kind {
	case kindRelation:
		if a.relations == nil {
			a.relations = make(map[uint32]*Relation)
		}
		if t, ok := a.names[m.relation.ID]; ok {
			m.relation.Schema, m.relation.Name = t.Schema, t.Name
		}
		a.relations[m.relation.ID] = m.relation
		return nil
	case kindBegin:
		return a.begin(m, at)
	case kindCommit:
		return a.commit(m)
	case byte(Insert), byte(Update), byte(Delete):
		return a.row(m, at)
	case byte(Truncate):
		return a.truncate(m, at)
	case kindLogical:
		return a.emitted(m, at)
	default: // Origin, Type
		return nil
	}
}

// inside reports whether a transaction is being read, or was handed over in part and must
// be read to its end.
func (a *assembler) inside() bool { return a.open != nil || a.torn != nil }

func (a *assembler) begin(m *message, at arrival) error {
	if a.open != nil {
		return fmt.Errorf("transaction %d begins within transaction %d", m.xid, a.open.xid)
	}
	a.last = transaction{xid: m.xid, commit: m.commit, time: m.time}
	t := &a.last
	switch {
	case m.commit <= a.handed:
		t.skipped = true
	case a.torn == nil:
		t.tx = a.position.Begin(m.time)
	case a.torn.commit == m.commit:
		t.tx, t.handed, a.torn = a.torn.tx, a.torn.handed, nil
	default:
		return &Gap{
			Slot: a.slot, From: a.torn.commit, To: m.commit,
			Why: fmt.Sprintf("transaction %d was interrupted and is not sent again", a.torn.xid),
		}
	}
	if !t.skipped {
		t.part = a.newPart(t, at)
	}
	a.open = t
	return nil
}

func (a *assembler) newPart(t *transaction, at arrival) *Part {
	t.arena = arena{}
	return &Part{
		XID: t.xid, Commit: t.commit, Timeline: a.timelines.at(t.commit), Time: t.time,
		Received: at.received, Age: at.sent.Sub(t.time),
		First: t.handed == 0, Tx: t.tx, free: a.free,
	}
}

// commit finishes the last part. A transaction without changes, which PostgreSQL 14
// sends, is only closed.
func (a *assembler) commit(m *message) error {
	t := a.open
	if t == nil || t.commit != m.commit {
		return fmt.Errorf("commit at %s of a transaction that has not begun", m.commit)
	}
	a.open = nil
	if t.skipped {
		return nil
	}
	a.handed = t.commit
	if t.next == 0 && t.handed == 0 {
		t.tx.Close(m.end)
		return nil
	}
	t.part.Last, t.part.End = true, m.end
	a.finish(t)
	return nil
}

func (a *assembler) row(m *message, at arrival) error {
	r, err := a.relation(m.id)
	if err != nil {
		return err
	}
	for _, row := range [...]Tuple{m.old, m.new} {
		if !row.IsZero() && row.Len() != len(r.Columns) {
			return fmt.Errorf("row of %d columns for table %s.%s, which has %d", row.Len(), r.Schema, r.Name, len(r.Columns))
		}
	}
	a.change(Change{Op: Op(m.kind), Relation: r, Old: m.old, New: m.new}, at)
	return nil
}

// truncate adds one change for each table.
func (a *assembler) truncate(m *message, at arrival) error {
	for _, id := range m.ids {
		r, err := a.relation(id)
		if err != nil {
			return err
		}
		a.change(Change{Op: Truncate, Relation: r}, at)
	}
	return nil
}

// emitted adds a logical message that counts as a change. A non-transactional message is
// ignored: it arrives even if the transaction around it is rolled back.
func (a *assembler) emitted(m *message, at arrival) error {
	if a.messages == nil || !m.transactional || string(m.prefix) != a.messages.Name {
		return nil
	}
	if a.open == nil {
		return fmt.Errorf("transactional message outside a transaction")
	}
	content := Value{Kind: Text, Text: m.content}
	if len(m.content) > MaxMessage {
		content = Value{Kind: Null}
	}
	a.change(Change{Op: Message, Relation: a.messages, New: MakeTuple(content)}, at)
	return nil
}

// MaxMessage is the maximum size of a message's content, in bytes. Longer content is
// replaced by null.
const MaxMessage = 1<<20 + 4<<10

// messageRelation describes the messages with that prefix.
func messageRelation(prefix string) *Relation {
	const bytea = 17
	return &Relation{Name: prefix, Identity: 'n', Columns: []Column{{Name: "content", Type: bytea}}}
}

func (a *assembler) relation(id uint32) (*Relation, error) {
	if a.open == nil {
		return nil, fmt.Errorf("row change outside a transaction")
	}
	r := a.relations[id]
	if r == nil {
		return nil, fmt.Errorf("row change of relation %d, which was not announced", id)
	}
	return r, nil
}

// change adds a change to the open part, and first finishes the part if it has no room.
func (a *assembler) change(c Change, at arrival) {
	t := a.open
	c.Ordinal = t.next
	t.next++
	if t.skipped || c.Ordinal < t.handed {
		return
	}
	if n := len(t.part.Changes); n > 0 && (n >= a.rows || t.size()+changeSize+t.arena.needs(c.Old, c.New) > a.bytes) {
		a.finish(t)
		t.part = a.newPart(t, at)
	}
	c.Old, c.New = t.arena.keep(c.Old, c.New)
	t.part.Changes = append(t.part.Changes, c)
}

// size returns the memory of the open part.
func (t *transaction) size() int {
	return partSize + cap(t.part.Changes)*changeSize + t.arena.held
}

func (a *assembler) finish(t *transaction) {
	t.part.bytes = t.size()
	a.ready += t.part.bytes
	t.handed += len(t.part.Changes)
	a.out = append(a.out, t.part)
}

// cut ends a connection. An unfinished transaction is dropped and expected again.
func (a *assembler) cut() {
	a.relations = nil
	t := a.open
	a.open = nil
	switch {
	case t == nil || t.skipped:
	case t.handed > 0:
		a.torn = &transaction{xid: t.xid, commit: t.commit, tx: t.tx, handed: t.handed}
	default:
		t.tx.Close(0) // confirms nothing
	}
}

// flush removes and returns the finished parts.
func (a *assembler) flush() []*Part {
	out := a.out
	a.out, a.ready = nil, 0
	return out
}
