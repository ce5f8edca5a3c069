package cdc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Messages, as bytes.
func rawBegin(commit LSN, xid uint32) []byte { return concat('B', uint64(commit), uint64(0), xid) }

func rawCommit(commit LSN) []byte {
	return concat('C', byte(0), uint64(commit), uint64(commit+8), uint64(0))
}

func rawRelation(id uint32, name string) []byte {
	return concat('R', id, "public", name, 'd', uint16(1), byte(1), "id", uint32(23), uint32(1<<32-1))
}

func rawRow(text string) []byte { return concat(uint16(1), 't', uint32(len(text)), []byte(text)) }

func rawInsert(id uint32, text string) []byte { return concat('I', id, 'N', rawRow(text)) }

// transactionOf is the messages of a transaction that inserts the texts.
func transactionOf(commit LSN, texts ...string) [][]byte {
	raw := [][]byte{rawBegin(commit, uint32(commit)), rawRelation(1, "a")}
	for _, text := range texts {
		raw = append(raw, rawInsert(1, text))
	}
	return append(raw, rawCommit(commit))
}

func newAssembler() *assembler {
	return &assembler{slot: "s", rows: 1000, bytes: 1 << 20, position: NewPosition(1), timelines: timelines{current: 1}, messages: messageRelation("ours")}
}

// feed decodes and adds the messages, overwriting each afterwards as the read
// buffer of a connection is.
func feed(a *assembler, messages ...[]byte) error {
	var m message
	for _, raw := range messages {
		buffer := append([]byte{}, raw...)
		if err := m.decode(buffer); err != nil {
			return err
		}
		if err := a.add(&m, arrival{}); err != nil {
			return err
		}
		for i := range buffer {
			buffer[i] = 0xff
		}
	}
	return nil
}

func mustFeed(t *testing.T, a *assembler, messages ...[]byte) {
	t.Helper()
	if err := feed(a, messages...); err != nil {
		t.Fatal(err)
	}
}

// shown is the parts as text: "commit[first ordinal:op text,… last end]".
func shown(parts []*Part) []string {
	var out []string
	for _, p := range parts {
		var s strings.Builder
		fmt.Fprintf(&s, "%d[", p.Commit)
		if p.First {
			s.WriteString("first ")
		}
		for i, c := range p.Changes {
			if i > 0 {
				s.WriteByte(',')
			}
			fmt.Fprintf(&s, "%d:%s %s", c.Ordinal, c.Op, c.Relation.Name)
			if !c.New.IsZero() {
				fmt.Fprintf(&s, " %.10s", c.New.Text(0))
			}
		}
		if p.Last {
			fmt.Fprintf(&s, " last %d", p.End)
		}
		out = append(out, s.String()+"]")
	}
	return out
}

func checkShown(t *testing.T, got []*Part, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, shown(got)); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestAssemblerParts(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, test := range []struct {
		name        string
		rows, bytes int
		in          [][]byte
		want        []string
	}{
		{"one row", 9, 1 << 20, transactionOf(10, "1"), []string{"10[first 0:insert a 1 last 18]"}},
		{"as many rows as a part has", 2, 1 << 20, transactionOf(10, "1", "2"), []string{"10[first 0:insert a 1,1:insert a 2 last 18]"}},
		{"one row more", 2, 1 << 20, transactionOf(10, "1", "2", "3"), []string{"10[first 0:insert a 1,1:insert a 2]", "10[2:insert a 3 last 18]"}},
		{
			"rows bigger than a part", 9, 1000, transactionOf(10, long, long),
			[]string{"10[first 0:insert a xxxxxxxxxx]", "10[1:insert a xxxxxxxxxx last 18]"},
		},
		{"empty transaction", 9, 1 << 20, transactionOf(10), nil},
		{"truncate of two tables counts two", 9, 1 << 20, [][]byte{
			rawBegin(10, 1), rawRelation(1, "a"), rawRelation(2, "b"), concat('T', uint32(2), byte(0), uint32(1), uint32(2)), rawInsert(1, "1"), rawCommit(10),
		}, []string{"10[first 0:truncate a,1:truncate b,2:insert a 1 last 18]"}},
		{"what is not a row change", 9, 1 << 20, [][]byte{
			rawBegin(10, 1), concat('O', uint64(1), "o"), concat('Y', uint32(1), "public", "mood"), rawCommit(10),
		}, nil},
		{"relation announced anew", 9, 1 << 20, [][]byte{
			rawBegin(10, 1), rawRelation(1, "a"), rawInsert(1, "1"), rawRelation(1, "renamed"), rawInsert(1, "2"), rawCommit(10),
		}, []string{"10[first 0:insert a 1,1:insert renamed 2 last 18]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAssembler()
			a.rows, a.bytes = test.rows, test.bytes
			mustFeed(t, a, test.in...)
			checkShown(t, a.flush(), test.want...)
		})
	}
}

func TestAssemblerKeepsFirstPartBeforeCommit(t *testing.T) {
	a := newAssembler()
	a.rows = 1
	whole := transactionOf(10, "1", "2", "3")
	mustFeed(t, a, whole[:len(whole)-1]...)
	parts := a.flush()
	checkShown(t, parts, "10[first 0:insert a 1]", "10[1:insert a 2]")
	if parts[0].Tx != parts[1].Tx {
		t.Error("parts of one transaction have different claims on the position")
	}
	a.position.Idle(99, time.Time{})
	if got := a.position.progress().confirmed; got != 1 {
		t.Errorf("confirmed %v within a transaction, want 0/1", got)
	}
}

func TestAssemblerClosesEmptyTransaction(t *testing.T) {
	a := newAssembler()
	mustFeed(t, a, transactionOf(10)...)
	if got := a.position.progress().confirmed; got != 18 {
		t.Errorf("confirmed %v after an empty transaction, want its end 0/12", got)
	}
}

func TestAssemblerTimesAndTimeline(t *testing.T) {
	a := newAssembler()
	a.timelines = timelines{current: 2, past: []timeline{{1, 15}}}
	sent, received := serverTime(3e6), time.Unix(77, 0)
	var m message
	for _, raw := range append(transactionOf(10, "1"), transactionOf(20, "2")...) {
		if err := m.decode(raw); err != nil {
			t.Fatal(err)
		}
		if err := a.add(&m, arrival{received, sent}); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range a.flush() {
		if p.Age != 3*time.Second || !p.Received.Equal(received) || !p.Time.Equal(serverTime(0)) || p.Timeline != int32(i+1) {
			t.Errorf("part %d: age %v, received %v, committed %v, timeline %d", i, p.Age, p.Received, p.Time, p.Timeline)
		}
	}
}

// TestAssemblerResumes cuts a stream of transactions after every message, lets
// the server begin again at any transaction, and expects the same changes.
func TestAssemblerResumes(t *testing.T) {
	txs := [][][]byte{
		transactionOf(10, "1"), transactionOf(20), transactionOf(30, "2", "3", "4", "5", "6"), transactionOf(40, "7"),
	}
	var whole [][]byte
	start := map[int]int{} // transaction → its first message in whole
	for i, tx := range txs {
		start[i] = len(whole)
		whole = append(whole, tx...)
	}
	var want []string
	for rows := 1; rows <= 3; rows++ {
		for cut := range whole {
			for from := range txs {
				if start[from] > cut {
					continue // the server does not leave out what was not read
				}
				name := fmt.Sprintf("rows=%d/cut=%d/from=%d", rows, cut, from)
				a := newAssembler()
				a.rows = rows
				mustFeed(t, a, whole[:cut]...)
				a.cut()
				mustFeed(t, a, whole[start[from]:]...)
				parts := a.flush()
				got := changesOf(t, name, parts)
				if want == nil {
					want = got
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: changes (-want +got):\n%s", name, diff)
				}
				for _, p := range parts {
					if p.Last {
						p.Tx.Close(p.End)
					}
				}
				if got := a.position.progress().confirmed; got != 48 || a.position.progress().outstanding != 0 {
					t.Fatalf("%s: confirmed %v, %d outstanding, want 0/30 and none", name, got, a.position.progress().outstanding)
				}
			}
		}
	}
}

// changesOf is all changes, once it is sure that each transaction has one first
// and one last part.
func changesOf(t *testing.T, name string, parts []*Part) []string {
	t.Helper()
	var out []string
	inside := false
	for _, p := range parts {
		if p.First == inside {
			t.Fatalf("%s: part of %d: first is %v", name, p.Commit, p.First)
		}
		inside = !p.Last
		for _, c := range p.Changes {
			out = append(out, fmt.Sprintf("%d/%d %s", p.Commit, c.Ordinal, c.New.Text(0)))
		}
	}
	if inside {
		t.Fatalf("%s: the last transaction has no last part", name)
	}
	return out
}

func TestAssemblerNoticesLostRestOfTransaction(t *testing.T) {
	a := newAssembler()
	a.rows = 1
	mustFeed(t, a, transactionOf(10, "1", "2", "3")[:4]...)
	a.cut()
	var gap *Gap
	if err := feed(a, transactionOf(20, "4")...); !errors.As(err, &gap) || gap.From != 10 || gap.To != 20 {
		t.Errorf("error %v, want a gap from 0/A to 0/14", err)
	}
}

func TestAssemblerRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		in   [][]byte
		want string
	}{
		{"row outside a transaction", [][]byte{rawRelation(1, "a"), rawInsert(1, "1")}, "outside a transaction"},
		{"row of an unknown relation", [][]byte{rawBegin(10, 1), rawInsert(1, "1")}, "relation 1, which was not announced"},
		{"truncate of an unknown relation", [][]byte{rawBegin(10, 1), concat('T', uint32(1), byte(0), uint32(7))}, "relation 7"},
		{"begin within a transaction", [][]byte{rawBegin(10, 1), rawBegin(20, 2)}, "transaction 2 begins within transaction 1"},
		{"commit without begin", [][]byte{rawCommit(10)}, "has not begun"},
		{"commit of another transaction", [][]byte{rawBegin(10, 1), rawCommit(20)}, "has not begun"},
		{
			"row of another shape",
			[][]byte{rawBegin(10, 1), rawRelation(1, "a"), concat('I', uint32(1), 'N', uint16(2), 'n', 'n')},
			"row of 2 columns for table public.a, which has 1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := feed(newAssembler(), test.in...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestRecordedScenariosAssemble runs everything recorded through parts of every
// bound: the changes are the same.
func TestRecordedScenariosAssemble(t *testing.T) {
	var want []string
	for _, bound := range []struct{ rows, bytes int }{{1 << 20, 1 << 30}, {1, 1}, {3, 1 << 30}, {1 << 20, 4096}} {
		var got []string
		for _, r := range recordings(t) {
			a := newAssembler() // the scenarios were recorded in several sessions
			a.rows, a.bytes = bound.rows, bound.bytes
			mustFeed(t, a, r.messages...)
			if a.inside() {
				t.Fatalf("%s ends within a transaction", r.name)
			}
			for _, p := range a.flush() {
				if p.bytes > 2*bound.bytes && len(p.Changes) > 1 {
					t.Errorf("%s: part of %d changes has %d bytes, twice the bound is %d", r.name, len(p.Changes), p.bytes, 2*bound.bytes)
				}
				for _, c := range p.Changes {
					got = append(got, fmt.Sprintf("%v/%d %s %s %v %v", p.Commit, c.Ordinal, c.Op, c.Relation.Name, plainRow(c.Old), plainRow(c.New)))
				}
			}
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("bound %+v (-want +got):\n%s", bound, diff)
		}
	}
	if len(want) < 400 {
		t.Errorf("only %d changes recorded", len(want))
	}
}

func BenchmarkAssemble(b *testing.B) {
	var messages [][]byte
	size := 0
	for _, r := range recordings(b) {
		if r.name == "20-annotation-update-patch" {
			messages = r.messages
		}
	}
	var decoded []message
	for _, raw := range messages {
		var m message
		if err := m.decode(raw); err != nil {
			b.Fatal(err)
		}
		decoded = append(decoded, m)
		size += len(raw)
	}
	a := newAssembler()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		a.handed = 0 // the recorded transactions come again and again
		for i := range decoded {
			if err := a.add(&decoded[i], arrival{}); err != nil {
				b.Fatal(err)
			}
		}
		for _, p := range a.flush() {
			if p.Last {
				p.Tx.Close(p.End)
			}
		}
	}
}
