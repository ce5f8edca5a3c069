package hook

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// Unreadable is a row that belongs to no hook, since it cannot be read: an id of a type
// that hooktail does not know, for example. It disturbs no hook.
type Unreadable struct {
	Table Table
	Key   string // of the row, as text; a long one is cut
	Fault string // what has to be mended
}

// rowKey names a row.
type rowKey struct {
	table Table
	key   string
}

// maxKey is how much of a key is remembered, in bytes.
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
