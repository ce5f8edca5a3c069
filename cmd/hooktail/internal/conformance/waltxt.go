package conformance

import (
	"errors"
	"fmt"
	"regexp"
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

var (
	// walHead begins the line of a change: its table and its operation.
	walHead = regexp.MustCompile(`^table public\.(\S+): (INSERT|UPDATE|DELETE):`)
	// walColumn is name[type]:value, whose value is quoted text with doubled quotes and no other
	// escapes, or a bare word. The type is ignored, since the schema has it.
	walColumn = regexp.MustCompile(`^ (old-key: |new-tuple: )?"?(\w+)"?\[[^:]*\]:(?:'((?:[^']|'')*)'|([^' \n]+))`)
)

// ParseWAL reads the output of the plugin test_decoding (options include-xids=0,
// skip-empty-xacts=1): the row changes of each transaction.
func ParseWAL(text string) ([][]RowChange, error) {
	var txs [][]RowChange
	open := false
	for text != "" {
		last := len(txs) - 1
		line, rest, _ := strings.Cut(text, "\n")
		switch head := walHead.FindStringSubmatch(text); {
		case line == "":
		case !open && line == "BEGIN":
			txs = append(txs, nil)
			open = true
		case open && line == "COMMIT":
			open = false
		case open && head != nil:
			c := RowChange{Table: head[1], Op: head[2]}
			if rest = c.read(text[len(head[0]):]); rest != "" && rest[0] != '\n' {
				return nil, fmt.Errorf("read change %d of transaction %d: unknown %q", len(txs[last]), last, shown(rest))
			}
			txs[last] = append(txs[last], c)
		default:
			return nil, fmt.Errorf("unknown line %q", shown(text))
		}
		text = rest
	}
	if open {
		return nil, errors.New("the last transaction has no end")
	}
	return txs, nil
}

// read reads the columns of the change, and returns the text after them.
func (c *RowChange) read(text string) (rest string) {
	row := Row{}
	if c.Op == "DELETE" {
		c.Old = row
	} else {
		c.New = row
	}
	for {
		m := walColumn.FindStringSubmatch(text)
		if m == nil {
			return text
		}
		text = text[len(m[0]):]
		switch m[1] {
		case "old-key: ":
			c.Old = Row{}
			row = c.Old
		case "new-tuple: ":
			row = c.New
		}
		switch name, word := m[2], m[4]; word {
		case "": // quoted
			row[name] = Value{Text: strings.ReplaceAll(m[3], "''", "'")}
		case "null":
			row[name] = Value{Null: true}
		case "unchanged-toast-datum":
		default:
			row[name] = Value{Text: word}
		}
	}
}
