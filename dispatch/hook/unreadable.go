package hook

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// Unreadable is a row that belongs to no hook, since it cannot be read, for example
// because of an unknown type of its id. It does not affect any hook.
type Unreadable struct {
	Table Table
	Key   string // key of the row as text; truncated if long
	Fault string // what to correct
}

// rowKey identifies a row.
type rowKey struct {
	table Table
	key   string
}

// maxKey is the maximum length of a stored key, in bytes.
const maxKey = 100

func keyIn(table Table, key string) rowKey {
	if len(key) > maxKey {
		key = key[:maxKey]
		for len(key) > 0 && !utf8.ValidString(key) && len(key) > maxKey-utf8.UTFMax {
			key = key[:len(key)-1]
		}
		key += "…"
	}
	return rowKey{table, strings.ToValidUTF8(key, "�")}
}

func compareRows(a, b Unreadable) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Key, b.Key))
}
