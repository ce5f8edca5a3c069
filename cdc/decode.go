package cdc

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Message types of pgoutput's protocol version 1, apart from row changes, whose types are
// those of Op.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
const (
	kindBegin    = 'B'
	kindCommit   = 'C'
	kindOrigin   = 'O'
	kindRelation = 'R'
	kindType     = 'Y'
	kindLogical  = 'M'
)

var (
	errShort = errors.New("message ends within a field")
	errLong  = errors.New("message continues after its last field")
)

// message is any pgoutput message. Only the fields of its type are set. Rows and text
// share the decoded bytes; the index of the rows is reused when the next message is
// decoded into the same value.
type message struct {
	kind byte

	xid    uint32    // Begin
	commit LSN       // Begin, Commit: commit record
	end    LSN       // Commit: end_lsn
	time   time.Time // Begin, Commit

	relation *Relation // Relation

	id       uint32   // Insert, Update, Delete: relation
	old, new Tuple    // Insert, Update, Delete
	ids      []uint32 // Truncate: relations

	prefix, content []byte // Logical
	transactional   bool   // Logical: it belongs to a transaction, and is dropped if that is rolled back

	index []uint32 // index of old and new
}

// decode reads one message. It is pure and trusts no length: its allocations are bounded
// by a small multiple of len(src).
func (m *message) decode(src []byte) error {
	*m = message{index: m.index[:0], ids: m.ids[:0]}
	if len(src) == 0 {
		return errShort
	}
	m.kind = src[0]
	c := cursor{rest: src[1:]}
	if err := m.body(&c); err != nil {
		return fmt.Errorf("decode message %q: %w", m.kind, err)
	}
	if len(c.rest) > 0 {
		return fmt.Errorf("decode message %q: %w", m.kind, errLong)
	}
	return nil
}

func (m *message) body(c *cursor) error {
	switch m.kind {
	case kindBegin:
		m.commit, m.time, m.xid = c.lsn(), c.time(), c.uint32()
	case kindCommit:
		c.uint8() // flags, unused
		m.commit, m.end, m.time = c.lsn(), c.lsn(), c.time()
	case kindOrigin:
		c.uint64() // LSN of the commit on the origin
		c.text()   // name
	case kindType:
		c.uint32() // OID
		c.text()   // schema
		c.text()   // name
	case kindRelation:
		m.relation = c.relation()
	case kindLogical:
		m.transactional = c.uint8()&1 != 0
		c.uint64() // LSN of the message
		m.prefix = c.text()
		m.content = c.bytes(c.uint32())
	case byte(Insert):
		return m.rows(c, "N")
	case byte(Update):
		return m.rows(c, "KON")
	case byte(Delete):
		return m.rows(c, "KO")
	case byte(Truncate):
		m.truncated(c)
	default:
		return errors.New("unknown message type")
	}
	return c.err
}

// rows reads the relation's id, an optional old row ('K', only key columns, or 'O', the
// whole row) and the new row ('N'). allowed lists those that the message may contain.
// Unless the message is a Delete, it ends with a new row.
func (m *message) rows(c *cursor, allowed string) error {
	m.id = c.uint32()
	for {
		part := c.uint8()
		if c.err != nil {
			return c.err
		}
		if bytes.IndexByte([]byte(allowed), part) < 0 {
			return fmt.Errorf("unexpected row %q", part)
		}
		var row Tuple
		if row, c.rest, m.index, c.err = tupleAt(c.rest, m.index); c.err != nil {
			return c.err
		}
		if part == 'N' {
			m.new = row
			return nil
		}
		m.old = row
		if m.kind == byte(Delete) {
			return nil
		}
		allowed = "N"
	}
}

func (m *message) truncated(c *cursor) {
	n := c.uint32()
	c.uint8() // options: CASCADE, RESTART IDENTITY
	if int64(n)*4 > int64(len(c.rest)) {
		c.fail()
		return
	}
	for range n {
		m.ids = append(m.ids, c.uint32())
	}
}

// cursor reads the fields of a message in sequence. The first missing field sets err; it
// and all later ones are read as zero.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail() { c.rest, c.err = nil, errShort }

// bytes returns the next n bytes, shared with the message.
func (c *cursor) bytes(n uint32) []byte {
	if int64(n) > int64(len(c.rest)) {
		c.fail()
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// uint returns an unsigned integer of n bytes in network order.
func (c *cursor) uint(n uint32) (v uint64) {
	for _, b := range c.bytes(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (c *cursor) uint8() byte     { return byte(c.uint(1)) }
func (c *cursor) uint16() uint16  { return uint16(c.uint(2)) }
func (c *cursor) uint32() uint32  { return uint32(c.uint(4)) }
func (c *cursor) uint64() uint64  { return c.uint(8) }
func (c *cursor) lsn() LSN        { return LSN(c.uint64()) }
func (c *cursor) time() time.Time { return serverTime(int64(c.uint64())) }

// text returns a string that ends with a zero byte.
func (c *cursor) text() []byte {
	n := bytes.IndexByte(c.rest, 0)
	if n < 0 {
		c.fail()
		return nil
	}
	return c.bytes(uint32(n) + 1)[:n:n]
}

// columnSize is the minimum size of a column in a Relation message: flags, the zero byte
// of an empty name, type, type modifier.
const columnSize = 1 + 1 + 4 + 4

func (c *cursor) relation() *Relation {
	r := &Relation{ID: c.uint32()}
	r.Schema = string(c.text())
	if r.Schema == "" {
		r.Schema = "pg_catalog" // pgoutput abbreviates it
	}
	r.Name = string(c.text())
	r.Identity = c.uint8()
	n := int(c.uint16())
	if n*columnSize > len(c.rest) {
		c.fail()
		return nil
	}
	r.Columns = make([]Column, n)
	for i := range r.Columns {
		col := &r.Columns[i]
		col.Key = c.uint8()&1 != 0
		col.Name = string(c.text())
		col.Type = c.uint32()
		c.uint32() // type modifier
	}
	if c.err != nil {
		return nil
	}
	return r
}

// serverTime converts the protocol's time, microseconds since the year 2000.
func serverTime(micros int64) time.Time {
	const y2k = 946_684_800 // Unix time
	return time.Unix(y2k+micros/1e6, micros%1e6*1e3).UTC()
}
