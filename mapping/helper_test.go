package mapping

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cdc/cdctest"
)

func TestMain(m *testing.M) { os.Exit(cdctest.Main(m)) }

// fullKey and idKey are replica identities.
const (
	fullKey = 'f'
	idKey   = 'd'
)

// columns of small tables with all that the rules look at.
var smallTables = map[string][]cdc.Column{
	"project": {
		{Name: "id", Type: pgtype.Int4OID},
		{Name: "title", Type: pgtype.VarcharOID},
		{Name: "updated_at", Type: pgtype.TimestamptzOID},
		{Name: "organization_id", Type: pgtype.Int4OID},
		{Name: "deleted_at", Type: pgtype.TimestamptzOID},
		{Name: "result_count", Type: pgtype.Int4OID},
	},
	"task": {{Name: "id", Type: pgtype.Int4OID}, {Name: "project_id", Type: pgtype.Int4OID}, {Name: "data", Type: pgtype.JSONBOID}},
	"task_completion": {
		{Name: "id", Type: pgtype.Int4OID},
		{Name: "task_id", Type: pgtype.Int4OID},
		{Name: "project_id", Type: pgtype.Int4OID},
		{Name: "updated_at", Type: pgtype.TimestamptzOID},
		{Name: "was_cancelled", Type: pgtype.BoolOID},
		{Name: "updated_by_id", Type: pgtype.Int4OID},
		{Name: "parent_prediction_id", Type: pgtype.Int4OID},
		{Name: "result", Type: pgtype.JSONBOID},
	},
	"webhook": {{Name: "id", Type: pgtype.Int4OID}},
}

// schema is one announcement of the small tables.
type schema map[string]*cdc.Relation

func newSchema(identity byte) schema {
	s := schema{}
	for i, name := range slices.Sorted(maps.Keys(smallTables)) {
		s[name] = &cdc.Relation{ID: uint32(i), Schema: "public", Name: name, Identity: identity, Columns: smallTables[name]}
	}
	return s
}

// unchanged stands for a TOASTed value that an update did not touch.
type unchanged struct{}

// row makes a row of values: nil is null, what is missing at the end as well.
func row(rel *cdc.Relation, values ...any) cdc.Tuple {
	tuple := make([]cdc.Value, len(rel.Columns))
	for i := range tuple {
		tuple[i].Kind = cdc.Null
		if i >= len(values) {
			continue
		}
		switch v := values[i].(type) {
		case nil:
		case unchanged:
			tuple[i].Kind = cdc.Unchanged
		default:
			tuple[i] = cdc.Value{Kind: cdc.Text, Text: fmt.Append(nil, v)}
		}
	}
	return cdc.MakeTuple(tuple...)
}

type values []any

func (s schema) insert(name string, v ...any) cdc.Change {
	return cdc.Change{Op: cdc.Insert, Relation: s[name], New: row(s[name], v...)}
}

// update has the old row only where the identity is full.
func (s schema) update(name string, old, v values) cdc.Change {
	c := cdc.Change{Op: cdc.Update, Relation: s[name], New: row(s[name], v...)}
	if s[name].Identity == fullKey {
		c.Old = row(s[name], old...)
	}
	return c
}

// remove has the id alone unless the identity is full.
func (s schema) remove(name string, old ...any) cdc.Change {
	if s[name].Identity != fullKey {
		old = old[:1]
	}
	return cdc.Change{Op: cdc.Delete, Relation: s[name], Old: row(s[name], old...)}
}

// parts numbers the changes of a transaction and cuts it into parts of the given sizes,
// what is left over being the last part.
func parts(commit cdc.LSN, changes []cdc.Change, sizes ...int) []*cdc.Part {
	for i := range changes {
		changes[i].Ordinal = i
	}
	var all []*cdc.Part
	for _, n := range append(sizes, len(changes)) {
		n = min(n, len(changes))
		all = append(all, &cdc.Part{Commit: commit, Timeline: 1, Received: time.Now(), Changes: changes[:n]})
		changes = changes[n:]
	}
	all[0].First, all[len(all)-1].Last = true, true
	return all
}

// mapAll is what the mapper makes of the parts. The ids are in the order of the events;
// an ordinal that counts from the end of the transaction is made that of its row change.
func mapAll(t testing.TB, m *Mapper, all []*cdc.Part) []*Event {
	t.Helper()
	var events []*Event
	from, changes := 0, 0
	for _, part := range all {
		var err error
		if events, err = m.Events(part, events); err != nil {
			t.Fatalf("map part: %v", err)
		}
		changes += len(part.Changes)
		if !part.Last {
			continue
		}
		inOrder := func(a, b *Event) int { return cmp.Compare(a.ID.Ordinal, b.ID.Ordinal) }
		if !slices.IsSortedFunc(events[from:], inOrder) {
			t.Errorf("the ids of %q are not in the order of the events", tellAll(events[from:]))
		}
		for _, e := range events[from:] {
			if e.ID.Ordinal >= changes {
				e.ID.Ordinal -= changes
			}
		}
		from, changes = len(events), 0
	}
	return events
}

// tell writes an event in short: its action, its ordinal, project, task and ids.
func tell(e *Event) string {
	ids := []int64{e.subject.id}
	if g := e.subject.group; g != nil {
		ids = nil
		for _, member := range g.members {
			ids = append(ids, member.id)
		}
	}
	return fmt.Sprintf("%d %s %v project %d task %d", e.ID.Ordinal, e.Action, ids, e.Project, e.Task)
}

func tellAll(events []*Event) []string {
	told := make([]string, 0, len(events))
	for _, e := range events {
		told = append(told, tell(e))
	}
	return told
}

// canonical is JSON in one form: sorted keys, numbers by value, and the lists
// whose order means nothing sorted as well.
func canonical(t testing.TB, body []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %.300s: %v", body, err)
	}
	if d.More() {
		t.Fatalf("more than one value: %.300s", body)
	}
	var b strings.Builder
	write(&b, v, true)
	return b.String()
}

func write(b *strings.Builder, v any, top bool) {
	switch v := v.(type) {
	case json.Number:
		n, ok := new(big.Rat).SetString(v.String())
		if !ok {
			panic("not a number: " + v.String())
		}
		b.WriteString(n.RatString())
	case map[string]any:
		b.WriteString("{")
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(b, "\n%q: ", key)
			list, isList := v[key].([]any)
			if top && isList && key != "annotation" && key != "task" {
				slices.SortFunc(list, func(x, y any) int { return strings.Compare(form(x), form(y)) })
			}
			write(b, v[key], false)
		}
		b.WriteString("}")
	case []any:
		b.WriteString("[")
		for _, element := range v {
			write(b, element, false)
			b.WriteString(",")
		}
		b.WriteString("]")
	default:
		fmt.Fprintf(b, "%#v", v)
	}
}

func form(v any) string {
	var b strings.Builder
	write(&b, v, false)
	return b.String()
}
