package cdc

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// LSN is a position in the write-ahead log.
type LSN = pglogrepl.LSN

// Op is what happened to a row, or to a whole table; or that a message was written.
type Op byte

// The operations that a publication sends, and Message, which Options.Messages asks for.
const (
	Insert   Op = 'I'
	Update   Op = 'U'
	Delete   Op = 'D'
	Truncate Op = 'T'
	Message  Op = 'M'
)

// String is the operation in the words of SQL, in lower case: a metric label.
func (o Op) String() string {
	switch o {
	case Insert:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Truncate:
		return "truncate"
	case Message:
		return "message"
	default:
		return "unknown"
	}
}

// Relation describes a table as the walsender announced it before the rows
// that refer to it. It is immutable: a table that was altered is announced anew
// as another value.
type Relation struct {
	ID       uint32
	Schema   string
	Name     string
	Identity byte // replica identity: 'd' default, 'n' nothing, 'f' full, 'i' index
	Columns  []Column
}

// Column is a published column of a Relation.
type Column struct {
	Name string
	Type uint32 // OID
	Key  bool   // part of the replica identity
}

// Index is the position of the column of that name, -1 if there is none.
func (r *Relation) Index(name string) int {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// Change is one row change of a transaction, or a logical message in it.
//
//	Insert    New
//	Update    New; Old if the replica identity is full (whole row) or the key changed (key columns alone)
//	Delete    Old: the whole row, or with the default identity the key columns alone, the others Null
//	Truncate  neither
//	Message   New: one column, the content; Relation is no table's, and is named for the prefix
type Change struct {
	Op       Op
	Relation *Relation
	Old, New Tuple
	// Ordinal is the place of the change among all changes of its
	// transaction, from 0, whatever the size of the parts: the same each time
	// the transaction is read.
	Ordinal int
}

// Part is a bounded stretch of the changes of one committed transaction, in
// their order. Most transactions have one part, which is both First and Last;
// one that exceeds the bounds of a part has several, and its changes before the
// last part are handed over before its Commit message has been read.
// (PostgreSQL sends only committed transactions at protocol version 1.)
type Part struct {
	XID      uint32
	Commit   LSN       // of the commit record, known in every part; unique and ascending in the stream
	Timeline int32     // on which the transaction committed
	Time     time.Time // of the commit, by the clock of the database
	// Received is when the first byte of the part was read, by the own clock;
	// Age is how long ago the commit was by then, both by the clock of the
	// database, so that clocks that differ do not matter.
	Received time.Time
	Age      time.Duration

	First, Last bool
	End         LSN // end_lsn of the Commit message; in the last part alone
	Changes     []Change

	// Tx is the claim of the transaction on the confirmed position, the same
	// value in all its parts. Begun by the stream; the consumer adds its holds
	// and, with the last part, calls Tx.Close(End).
	Tx *Tx

	bytes int
	free  func(bytes int)
}

// Bytes is the memory that the part holds in the queue's account.
func (p *Part) Bytes() int { return p.bytes }

// Free returns the part's bytes to the queue that the stream fills. The consumer
// calls it once per part, when it has finished with the rows.
func (p *Part) Free() {
	if p.free != nil {
		p.free(p.bytes)
		p.free = nil
	}
}
