package cdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
)

// plain is a message in a form that both decoders can be turned into.
type plain struct {
	Kind            string
	XID, Relation   uint32
	Commit, End     LSN
	UnixMicro       int64
	Schema, Name    string
	Identity        byte
	Columns         []Column
	HasOld, HasNew  bool
	Old, New        []string
	Relations       []uint32
	Prefix, Content string
}

func plainOurs(m *message) plain {
	p := plain{
		Kind: string(m.kind), XID: m.xid, Relation: m.id, Commit: m.commit, End: m.end,
		HasOld: !m.old.IsZero(), HasNew: !m.new.IsZero(), Old: plainRow(m.old), New: plainRow(m.new),
		Prefix: string(m.prefix), Content: string(m.content),
	}
	p.Relations = append(p.Relations, m.ids...)
	if !m.time.IsZero() {
		p.UnixMicro = m.time.UnixMicro()
	}
	if r := m.relation; r != nil {
		p.Relation, p.Schema, p.Name, p.Identity, p.Columns = r.ID, r.Schema, r.Name, r.Identity, r.Columns
	}
	return p
}

func plainRow(t Tuple) []string {
	var row []string
	for i := range t.Len() {
		row = append(row, string(t.Kind(i))+string(t.Text(i)))
	}
	return row
}

// plainTheirs is nil for messages whose content we do not keep.
func plainTheirs(m pglogrepl.Message) *plain {
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		return &plain{Kind: "B", XID: m.Xid, Commit: m.FinalLSN, UnixMicro: m.CommitTime.UnixMicro()}
	case *pglogrepl.CommitMessage:
		return &plain{Kind: "C", Commit: m.CommitLSN, End: m.TransactionEndLSN, UnixMicro: m.CommitTime.UnixMicro()}
	case *pglogrepl.RelationMessage:
		p := &plain{Kind: "R", Relation: m.RelationID, Schema: m.Namespace, Name: m.RelationName, Identity: m.ReplicaIdentity, Columns: []Column{}}
		if p.Schema == "" {
			p.Schema = "pg_catalog"
		}
		for _, c := range m.Columns {
			p.Columns = append(p.Columns, Column{Name: c.Name, Type: c.DataType, Key: c.Flags&1 != 0})
		}
		return p
	case *pglogrepl.InsertMessage:
		return &plain{Kind: "I", Relation: m.RelationID, HasNew: true, New: theirRow(m.Tuple)}
	case *pglogrepl.UpdateMessage:
		return &plain{Kind: "U", Relation: m.RelationID, HasOld: m.OldTuple != nil, Old: theirRow(m.OldTuple), HasNew: true, New: theirRow(m.NewTuple)}
	case *pglogrepl.DeleteMessage:
		return &plain{Kind: "D", Relation: m.RelationID, HasOld: true, Old: theirRow(m.OldTuple)}
	case *pglogrepl.TruncateMessage:
		return &plain{Kind: "T", Relations: m.RelationIDs}
	case *pglogrepl.LogicalDecodingMessage:
		return &plain{Kind: "M", Prefix: m.Prefix, Content: string(m.Content)}
	}
	return nil
}

func theirRow(t *pglogrepl.TupleData) []string {
	if t == nil {
		return nil
	}
	var row []string
	for _, c := range t.Columns {
		row = append(row, string(c.DataType)+string(c.Data))
	}
	return row
}

// TestDecodeAgreesWithPglogrepl decodes everything that was recorded with both.
func TestDecodeAgreesWithPglogrepl(t *testing.T) {
	var m message
	kinds := map[byte]int{}
	for _, r := range recordings(t) {
		for i, raw := range r.messages {
			if err := m.decode(raw); err != nil {
				t.Fatalf("%s, message %d: %v", r.name, i, err)
			}
			kinds[m.kind]++
			theirs, err := pglogrepl.Parse(raw)
			if err != nil {
				t.Fatalf("%s, message %d: pglogrepl: %v", r.name, i, err)
			}
			want := plainTheirs(theirs)
			if want == nil {
				continue
			}
			if diff := cmp.Diff(*want, plainOurs(&m)); diff != "" {
				t.Fatalf("%s, message %d (-pglogrepl +ours):\n%s", r.name, i, diff)
			}
		}
	}
	for _, kind := range "BCRIUD" {
		if kinds[byte(kind)] == 0 {
			t.Errorf("no message %q among the recorded: %v", kind, kinds)
		}
	}
}

// field builders for messages that were not recorded.
func concat(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch v := part.(type) {
		case byte:
			b = append(b, v)
		case rune:
			b = append(b, byte(v))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, v)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, v)
		case string:
			b = append(append(b, v...), 0)
		case []byte:
			b = append(b, v...)
		}
	}
	return b
}

func TestDecode(t *testing.T) {
	row := concat(uint16(2), 't', uint32(1), []byte("7"), 'n')
	for _, test := range []struct {
		name string
		in   []byte
		want plain
	}{
		{"truncate of two", concat('T', uint32(2), byte(3), uint32(11), uint32(12)), plain{Kind: "T", Relations: []uint32{11, 12}}},
		{"logical message", concat('M', byte(0), uint64(9), "hooktail", uint32(5), []byte("nonce")), plain{Kind: "M", Prefix: "hooktail", Content: "nonce"}},
		{"origin", concat('O', uint64(9), "elsewhere"), plain{Kind: "O"}},
		{"type", concat('Y', uint32(9), "public", "mood"), plain{Kind: "Y"}},
		{
			"relation of pg_catalog", concat('R', uint32(9), "", "pg_class", 'n', uint16(0)),
			plain{Kind: "R", Relation: 9, Schema: "pg_catalog", Name: "pg_class", Identity: 'n', Columns: []Column{}},
		},
		{"insert", concat('I', uint32(9), 'N', row), plain{Kind: "I", Relation: 9, HasNew: true, New: []string{"t7", "n"}}},
		{
			"update with key", concat('U', uint32(9), 'K', row, 'N', row),
			plain{Kind: "U", Relation: 9, HasOld: true, Old: []string{"t7", "n"}, HasNew: true, New: []string{"t7", "n"}},
		},
		{"update with unchanged column", concat('U', uint32(9), 'N', uint16(1), 'u'), plain{Kind: "U", Relation: 9, HasNew: true, New: []string{"u"}}},
		{"delete", concat('D', uint32(9), 'O', row), plain{Kind: "D", Relation: 9, HasOld: true, Old: []string{"t7", "n"}}},
		{"insert without columns", concat('I', uint32(9), 'N', uint16(0)), plain{Kind: "I", Relation: 9, HasNew: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m message
			if err := m.decode(test.in); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, plainOurs(&m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for n := range test.in { // and nothing less
				if err := m.decode(test.in[:n]); !errors.Is(err, errShort) {
					t.Errorf("first %d of %d bytes: error %v, want %v", n, len(test.in), err, errShort)
				}
			}
			if err := m.decode(append(test.in[:len(test.in):len(test.in)], 0)); !errors.Is(err, errLong) {
				t.Errorf("one byte more: error %v, want %v", err, errLong)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "ends within"},
		{"unknown kind", []byte("Z"), "unknown message type"},
		{"stream of protocol 2", concat('S', uint32(1), byte(1)), "unknown message type"},
		{"binary column", concat('I', uint32(9), 'N', uint16(1), 'b', uint32(1), byte(0)), `unknown column kind 'b'`},
		{"insert with old row", concat('I', uint32(9), 'O', uint16(0)), `unexpected row 'O'`},
		{"delete with new row", concat('D', uint32(9), 'N', uint16(0)), `unexpected row 'N'`},
		{"update with two old rows", concat('U', uint32(9), 'K', uint16(0), 'O', uint16(0)), `unexpected row 'O'`},
		{"text longer than the message", concat('I', uint32(9), 'N', uint16(1), 't', uint32(1<<31)), "ends within"},
		{"relation of more columns than bytes", concat('R', uint32(9), "a", "b", 'd', uint16(65535)), "ends within"},
		{"truncate of more relations than bytes", concat('T', uint32(1<<31), byte(0)), "ends within"},
		{"name without end", concat('Y', uint32(9), []byte("public")), "ends within"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m message
			err := m.decode(test.in)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestDecodeDoesNotAllocatePerColumn(t *testing.T) {
	raw := recordedMessage(t, func(m *message) bool { return m.kind == byte(Insert) })
	var m message
	if n := testing.AllocsPerRun(100, func() {
		if err := m.decode(raw); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for a message of %d columns, want 0", n, m.new.Len())
	}
}

// FuzzDecode checks that no message makes the decoder panic or allocate more
// than a multiple of its length, and that it agrees with pglogrepl on what both
// accept.
func FuzzDecode(f *testing.F) {
	for _, r := range recordings(f)[:8] {
		for _, raw := range r.messages {
			f.Add(raw)
		}
	}
	f.Add(concat('T', uint32(2), byte(3), uint32(11), uint32(12)))
	f.Add(concat('M', byte(0), uint64(9), "hooktail", uint32(5), []byte("nonce")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		var m message
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		err := m.decode(raw)
		runtime.ReadMemStats(&end)
		if got, most := end.TotalAlloc-start.TotalAlloc, uint64(64*len(raw)+64<<10); got > most {
			t.Fatalf("%d bytes allocated for %d", got, len(raw))
		}
		if !bytes.Equal(before, raw) {
			t.Fatal("the message was changed")
		}
		if err != nil {
			return
		}
		theirs, err := parseTheirs(raw)
		if err != nil {
			return // it refuses some short messages that are whole
		}
		want := plainTheirs(theirs)
		if want == nil {
			return
		}
		got := plainOurs(&m)
		if m.time.Year() > 2200 || m.time.Year() < 1700 {
			want.UnixMicro = got.UnixMicro // theirs are nanoseconds, which overflow
		}
		if diff := cmp.Diff(*want, got); diff != "" {
			t.Fatalf("(-pglogrepl +ours):\n%s", diff)
		}
	})
}

// parseTheirs turns the panics of pglogrepl into errors.
func parseTheirs(raw []byte) (m pglogrepl.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errShort
		}
	}()
	return pglogrepl.Parse(raw)
}

func benchmarkDecode(b *testing.B, accept func(*message) bool) {
	raw := recordedMessage(b, accept)
	var m message
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := m.decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeInsert(b *testing.B) {
	benchmarkDecode(b, func(m *message) bool { return m.kind == byte(Insert) })
}

func BenchmarkDecodeUpdate(b *testing.B) {
	benchmarkDecode(b, func(m *message) bool { return m.kind == byte(Update) && !hasUnchanged(m.new) })
}

func BenchmarkDecodeToast(b *testing.B) {
	benchmarkDecode(b, func(m *message) bool { return m.kind == byte(Update) && hasUnchanged(m.new) })
}

func hasUnchanged(t Tuple) bool {
	for i := range t.Len() {
		if t.Kind(i) == Unchanged {
			return true
		}
	}
	return false
}
