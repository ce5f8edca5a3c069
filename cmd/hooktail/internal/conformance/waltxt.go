package conformance

import (
	"errors"
	"fmt"
	"strings"
)

// Value is one column of a row in PostgreSQL's text form, or SQL null.
type Value struct {
	Text string
	Null bool
}

// Row is a row by column name. A missing column is unknown.
type Row map[string]Value

// RowChange is one line of test_decoding. New is the row of an INSERT or UPDATE, without
// unchanged TOASTed columns; Old is the key of an UPDATE that changed it, or of a DELETE.
type RowChange struct {
	Table    string // without its schema
	Op       string // INSERT, UPDATE or DELETE
	Old, New Row
}

// ParseWAL reads the output of the plugin test_decoding (options include-xids=0,
// skip-empty-xacts=1): the row changes of each transaction.
func ParseWAL(text string) ([][]RowChange, error) {
	var txs [][]RowChange
	p := walText{rest: text}
	open := false
	for p.rest != "" {
		switch {
		case p.skip("\n"):
		case !open && p.skip("BEGIN"):
			txs = append(txs, nil)
			open = true
		case open && p.skip("COMMIT"):
			open = false
		case open && p.skip("table public."):
			change, err := p.change()
			if err != nil {
				return nil, fmt.Errorf("read change %d of transaction %d: %w", len(txs[len(txs)-1]), len(txs)-1, err)
			}
			txs[len(txs)-1] = append(txs[len(txs)-1], change)
		default:
			return nil, fmt.Errorf("unknown line %q", shown(p.rest))
		}
	}
	if open {
		return nil, errors.New("the last transaction has no end")
	}
	return txs, nil
}

// walText is the unread text.
type walText struct{ rest string }

// skip consumes the prefix if the text begins with it.
func (p *walText) skip(prefix string) bool {
	rest, found := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return found
}

// until consumes the text before the separator and the separator.
func (p *walText) until(separator string) (string, error) {
	before, after, found := strings.Cut(p.rest, separator)
	if !found {
		return "", fmt.Errorf("no %q in %q", separator, shown(p.rest))
	}
	p.rest = after
	return before, nil
}

// change reads "task: UPDATE: id[integer]:1 …" up to the end of its last value.
func (p *walText) change() (RowChange, error) {
	table, err := p.until(": ")
	if err != nil {
		return RowChange{}, err
	}
	op, err := p.until(":")
	if err != nil {
		return RowChange{}, err
	}
	c := RowChange{Table: table, Op: op}
	row := Row{}
	switch op {
	case "INSERT", "UPDATE":
		c.New = row
	case "DELETE":
		c.Old = row
	default:
		return RowChange{}, fmt.Errorf("unknown operation %q", op)
	}
	for p.skip(" ") {
		switch {
		case p.skip("old-key:"):
			c.Old = Row{}
			row = c.Old
		case p.skip("new-tuple:"):
			row = c.New
		default:
			if err := p.column(row); err != nil {
				return RowChange{}, err
			}
		}
	}
	return c, nil
}

// column reads one "name[type]:value". The type is dropped, since the schema has it.
func (p *walText) column(row Row) error {
	name, err := p.until("[")
	if err != nil {
		return err
	}
	if _, err := p.until("]:"); err != nil {
		return err
	}
	value, known, err := p.value()
	if err != nil {
		return fmt.Errorf("read column %s: %w", name, err)
	}
	if known {
		row[strings.Trim(name, `"`)] = value
	}
	return nil
}

// value reads null, a bare word, or quoted text with doubled quotes and no other escapes.
// It returns false for a value that is not in the WAL.
func (p *walText) value() (Value, bool, error) {
	if p.skip("'") {
		n, closed := quoted(p.rest, '\'', false)
		if !closed {
			return Value{}, false, errors.New("quoted text has no end")
		}
		text := strings.ReplaceAll(p.rest[:n-1], "''", "'")
		p.rest = p.rest[n:]
		return Value{Text: text}, true, nil
	}
	end := strings.IndexAny(p.rest, " \n")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	switch word {
	case "null":
		return Value{Null: true}, true, nil
	case "unchanged-toast-datum":
		return Value{}, false, nil
	default:
		return Value{Text: word}, true, nil
	}
}
