package cdc

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
)

// LSN is a position in the write-ahead log.
type LSN = pglogrepl.LSN

// Op is the operation on a row or a table, or Message.
type Op byte

// The operations that a publication sends, and Message, which Options.Messages enables.
const (
	Insert   Op = 'I'
	Update   Op = 'U'
	Delete   Op = 'D'
	Truncate Op = 'T'
	Message  Op = 'M'
)

// String returns the operation in lower-case SQL words, as used in metric labels.
func (o Op) String() string {
	names := map[Op]string{Insert: "insert", Update: "update", Delete: "delete", Truncate: "truncate", Message: "message"}
	return cmp.Or(names[o], "unknown")
}

// Relation describes a table as the walsender announced it before the rows that refer to
// it. It is immutable: an altered table is announced again as a new value.
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

// Index returns the position of the named column, -1 if there is none.
func (r *Relation) Index(name string) int {
	return slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
}

// Change is one row change of a transaction, or a logical message in it.
//
//	Insert    New
//	Update    New; Old if the replica identity is full (whole row) or the key changed (key columns only)
//	Delete    Old: the whole row, or with the default identity only the key columns, the others Null
//	Truncate  neither
//	Message   New: one column, the content; Relation is not a table and is named after the prefix
type Change struct {
	Op       Op
	Relation *Relation
	Old, New Tuple
	// Ordinal is the position of the change in its transaction, from 0. It does not
	// depend on the size of parts, and is the same each time the transaction is read.
	Ordinal int
}

// Part is a bounded sequence of the changes of one committed transaction, in order. Most
// transactions have one part, which is both First and Last; one that exceeds the bounds
// of a part has several, and its changes before the last part are handed over before its
// Commit message has been read. (PostgreSQL sends only committed transactions at protocol
// version 1.)
type Part struct {
	XID      uint32
	Commit   LSN       // commit record, known in every part; unique and ascending in the stream
	Timeline int32     // timeline of the commit
	Time     time.Time // commit time, by the database's clock
	// Received is the local time when the first byte of the part was read. Age is the age
	// of the commit at that time, by the database's clock, so that a difference between
	// the clocks does not matter.
	Received time.Time
	Age      time.Duration

	First, Last bool
	End         LSN // end_lsn of the Commit message; only in the last part
	Changes     []Change

	// Tx is the transaction's claim on the confirmed position, the same value in all its
	// parts. The stream begins it; the consumer adds its holds and calls Tx.Close(End)
	// with the last part.
	Tx *Tx

	bytes int
	free  func(bytes int)
}

// Bytes returns the part's share of the queue's bound.
func (p *Part) Bytes() int { return p.bytes }

// Free returns the part's bytes to the queue. The consumer calls it once per part, when
// it no longer needs the rows.
func (p *Part) Free() {
	if p.free != nil {
		p.free(p.bytes)
		p.free = nil
	}
}
