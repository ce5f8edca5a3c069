package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// testKeys are as the database has them, and of a transaction after an epoch.
func testKeys() *Keys {
	return &Keys{Inner: bytes.Repeat([]byte{1}, 64), Outer: bytes.Repeat([]byte{2}, 64), System: "7", XID: epoch + 1000}
}

const epoch = 1 << 32

var messages = &cdc.Relation{Name: "hooktail.emit", Identity: 'n', Columns: []cdc.Column{{Name: "content"}}}

// message is the change that a message with that content is.
func message(content []byte) cdc.Change {
	return cdc.Change{Op: cdc.Message, Relation: messages, New: cdc.MakeTuple(cdc.Value{Kind: cdc.Text, Text: content})}
}

// emits is what the function emit writes in the transaction, as the number-th message.
func emits(xid, number uint64, action Action, project int, task, payload string) []byte {
	return signed(testKeys(), fmt.Sprintf("%d\n%d\n%s\n%d\n%s\n%s", xid, number, action, project, task, payload))
}

func signed(keys *Keys, text string) []byte {
	return fmt.Appendf(nil, "1 %x\n%s", keys.Code([]byte(text)), text)
}

// trusting is a mapper that has the keys.
func trusting(o Options) *Mapper {
	m := NewMapper(o)
	m.Trust(testKeys())
	return m
}

// mapMessages is what is made of the changes in transaction xid, each part given again
// where its messages are doubted.
func mapMessages(t testing.TB, m *Mapper, xid uint32, all []*cdc.Part) (told []string) {
	t.Helper()
	var events []*Event
	for _, part := range all {
		part.XID = xid
		var err error
		if events, err = m.Events(part, events); errors.Is(err, ErrUnproven) {
			m.Trust(testKeys())
			events, err = m.Events(part, events)
		}
		if err != nil {
			t.Fatalf("map part: %v", err)
		}
	}
	for _, e := range events {
		what := fmt.Sprintf("%d %s project %d task %d", e.ID.Ordinal, e.Action, e.Project, e.Task)
		if e.Action.IsCustom() {
			what += " " + string(payloadOf(e.subject.image.row))
		}
		told = append(told, what)
	}
	return told
}

// TestEmitted: what the function has written becomes events in their place among those of
// the rows, however the transaction is cut.
func TestEmitted(t *testing.T) {
	t.Parallel()
	s := newSchema(fullKey)
	for _, sizes := range [][]int{nil, {1}, {2}, {3}, {1, 1, 1, 1}} {
		changes := []cdc.Change{
			message(emits(epoch+1001, 1, "FIRST", 1, "", `{}`)),
			s.insert("task_completion", annotationRow(5, 7, 1, t1, false)...),
			message(emits(epoch+1001, 3, "MODEL_OUTDATED", 1, "7", "{\"a\":\n1}")), // 2 was rolled back with its savepoint
			s.remove("task_completion", annotationRow(4, 7, 1, t1, false)...),
			message(emits(epoch+1001, 4, "MODEL_OUTDATED", 2, "", `null`)),
		}
		want := []string{
			"0 FIRST project 1 task 0 {}", "1 ANNOTATION_CREATED project 1 task 7", "2 MODEL_OUTDATED project 1 task 7 {\"a\":\n1}",
			"4 MODEL_OUTDATED project 2 task 0 null", "8 ANNOTATIONS_DELETED project 1 task 7",
		}
		if diff := cmp.Diff(want, mapMessages(t, trusting(Options{}), 1001, parts(1, changes, sizes...))); diff != "" {
			t.Errorf("parts of %v (-want +got):\n%s", sizes, diff)
		}
	}
}

// TestForgedMessages: of what the function has not written in this transaction, once,
// nothing is made, and what follows is.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	genuine := emits(epoch+1001, 5, "REAL", 1, "", "{}")
	other, elsewhere := testKeys(), testKeys()
	other.Inner = bytes.Repeat([]byte{3}, 64)
	elsewhere.System = "8"
	text := fmt.Sprintf("%d\n1\nFAKE\n1\n\n{}", epoch+1001)
	for name, content := range map[string][]byte{
		"another secret":              signed(other, text),
		"another server":              signed(elsewhere, text),
		"no secret":                   signed(&Keys{}, text),
		"another transaction":         emits(epoch+1002, 1, "FAKE", 1, "", "{}"),
		"the same xid, an epoch ago":  emits(1001, 1, "FAKE", 1, "", "{}"),
		"the same xid, an epoch on":   emits(2*epoch+1001, 1, "FAKE", 1, "", "{}"),
		"another payload":             append(slices.Clone(genuine), ' '),
		"another action":              bytes.Replace(genuine, []byte("REAL"), []byte("FAKE"), 1),
		"an action of the guide":      emits(epoch+1001, 1, TaskCreated, 1, "", "{}"),
		"an action of hooktail":       emits(epoch+1001, 1, TaskCompleted, 1, "", "{}"),
		"no project":                  emits(epoch+1001, 1, "FAKE", 0, "", "{}"),
		"no payload":                  emits(epoch+1001, 1, "FAKE", 1, "", ""),
		"a task that is no number":    emits(epoch+1001, 1, "FAKE", 1, "7x", "{}"),
		"another version":             append([]byte("2"), genuine[1:]...),
		"no code":                     []byte("1 \n" + text),
		"a code that is no number":    []byte("1 " + strings.Repeat("x", 64) + "\n" + text),
		"nothing":                     {},
		"a line":                      []byte("hello"),
		"fewer lines":                 signed(testKeys(), "1001\n1\nFAKE\n"),
		"a number larger than a word": signed(testKeys(), "99999999999999999999\n1\nFAKE\n1\n\n{}"),
	} {
		m := trusting(Options{})
		got := mapMessages(t, m, 1001, parts(1, []cdc.Change{message(content), message(genuine)}))
		if diff := cmp.Diff([]string{"1 REAL project 1 task 0 {}"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if m.forged != 1 {
			t.Errorf("%s: %d messages counted, want 1", name, m.forged)
		}
	}
}

// TestRepeatedMessages: a message counts once, and not after a newer one, also in another
// part of its transaction; the next transaction begins anew.
func TestRepeatedMessages(t *testing.T) {
	t.Parallel()
	one, two := emits(epoch+1001, 1, "ONE", 1, "", "{}"), emits(epoch+1001, 2, "TWO", 1, "", "{}")
	for _, sizes := range [][]int{nil, {1}, {2, 1}} {
		m := trusting(Options{})
		got := mapMessages(t, m, 1001, parts(1, []cdc.Change{message(one), message(one), message(two), message(one), message(two)}, sizes...))
		if diff := cmp.Diff([]string{"0 ONE project 1 task 0 {}", "2 TWO project 1 task 0 {}"}, got); diff != "" {
			t.Errorf("parts of %v (-want +got):\n%s", sizes, diff)
		}
		if m.forged != 3 {
			t.Errorf("%d messages counted, want 3", m.forged)
		}
		if got := mapMessages(t, m, 1001, parts(1, []cdc.Change{message(one)})); len(got) != 1 { // read again
			t.Errorf("the transaction is read again, and has events %q", got)
		}
		if got := mapMessages(t, m, 1002, parts(2, []cdc.Change{message(two)})); len(got) != 0 {
			t.Errorf("a message of the transaction before is told: %q", got)
		}
	}
}

// TestKeysAreAskedFor: messages that the mapper's keys do not prove make it ask, once a
// part, and nothing is made of a part before that.
func TestKeysAreAskedFor(t *testing.T) {
	t.Parallel()
	m := NewMapper(Options{})
	part := func() *cdc.Part {
		p := parts(1, []cdc.Change{message(emits(epoch+1001, 1, "ONE", 1, "", "{}"))})[0]
		p.XID = 1001
		return p
	}
	for range 2 {
		if events, err := m.Events(part(), nil); !errors.Is(err, ErrUnproven) || len(events) > 0 {
			t.Fatalf("without keys: %d events, %v", len(events), err)
		}
		m.Trust(nil) // custom events were never set up
		if events, err := m.Events(part(), nil); err != nil || len(events) > 0 {
			t.Fatalf("without a set-up: %d events, %v", len(events), err)
		}
	}
	if _, err := m.Events(part(), nil); !errors.Is(err, ErrUnproven) {
		t.Fatal("not asked again")
	}
	m.Trust(testKeys())
	for range 2 {
		if events, err := m.Events(part(), nil); err != nil || len(events) != 1 {
			t.Fatalf("with keys: %d events, %v", len(events), err)
		}
	}
}

// TestWholeXID: the epoch is that of the nearest transaction, also where the ids wrap.
func TestWholeXID(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.Uint64Range(1<<33, 1<<40).Draw(t, "xid")
		away := rapid.Int64Range(-1<<31, 1<<31-1).Draw(t, "away")
		k := &Keys{XID: uint64(int64(of) - away)}
		if got := k.whole(uint32(of)); got != of {
			t.Errorf("xid %d is taken for %d, by %d", of, got, k.XID)
		}
	})
}

// FuzzEmitted: whatever a message has, no panic, and an event only if its code is right,
// with what the text says.
func FuzzEmitted(f *testing.F) {
	f.Add([]byte("1001\n1\nMODEL_OUTDATED\n1\n7\n{}"), []byte{}, true)
	f.Add([]byte("4294968297\n1\nMODEL_OUTDATED\n1\n\nnull"), []byte("1 00"), true)
	f.Add([]byte("\n\n\n\n\n"), []byte("1 \n"), false)
	f.Fuzz(func(t *testing.T, text, raw []byte, sign bool) {
		content := raw
		if sign {
			content = signed(testKeys(), string(text))
		}
		part := parts(1, []cdc.Change{message(content)})[0]
		part.XID = 1001
		m := trusting(Options{})
		events, err := m.Events(part, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			if m.forged != 1 {
				t.Error("neither an event nor counted")
			}
			return
		}
		e := events[0]
		if !sign && !bytes.Equal(content, signed(testKeys(), string(content[bytes.IndexByte(content, '\n')+1:]))) {
			t.Errorf("an event of an unsigned message %q", content)
		}
		if !e.Action.IsCustom() || e.Project == 0 || len(payloadOf(e.subject.image.row)) == 0 {
			t.Errorf("event %+v", e)
		}
		if sign && !strings.HasPrefix(string(text), fmt.Sprintf("%d\n", epoch+1001)) {
			if number, _ := number(bytes.TrimLeft(bytes.SplitN(text, []byte{'\n'}, 2)[0], "0")); number != epoch+1001 {
				t.Errorf("an event of another transaction: %q", text)
			}
		}
	})
}

// TestEmittedModel: whatever is written between the rows of a transaction, genuine,
// repeated or forged, and however it is cut, there is one event for each genuine message
// that is newer than those before, at its place.
func TestEmittedModel(t *testing.T) {
	t.Parallel()
	s := newSchema(fullKey)
	rapid.Check(t, func(rt *rapid.T) {
		var changes []cdc.Change
		var want []string
		written, newest := [][]byte{}, uint64(0)
		numbers := []uint64{}
		for i := range rapid.IntRange(1, 20).Draw(rt, "changes") {
			switch rapid.SampledFrom([]string{"row", "emit", "rolled back", "repeat", "forge"}).Draw(rt, "what") {
			case "row":
				changes = append(changes, s.insert("task_completion", annotationRow(100+i, 7, 1, t1, false)...))
				want = append(want, fmt.Sprintf("%d ANNOTATION_CREATED project 1 task 7", len(changes)-1))
			case "emit":
				number := uint64(len(written)) + 1
				content := emits(epoch+1001, number, "MODEL", 1, "7", fmt.Sprint(i))
				written, numbers = append(written, content), append(numbers, number)
				changes = append(changes, message(content))
				want = append(want, fmt.Sprintf("%d MODEL project 1 task 7 %d", len(changes)-1, i))
				newest = number
			case "rolled back": // its number is used up, and it is not in the stream
				number := uint64(len(written)) + 1
				written, numbers = append(written, emits(epoch+1001, number, "MODEL", 1, "7", fmt.Sprint(i))), append(numbers, number)
			case "repeat":
				if len(written) == 0 {
					continue
				}
				at := rapid.IntRange(0, len(written)-1).Draw(rt, "message")
				if numbers[at] > newest {
					continue // the transaction itself may write again what it has rolled back
				}
				changes = append(changes, message(written[at]))
			case "forge":
				content := emits(epoch+1001, uint64(i)+1000, "FAKE", 1, "7", "{}")
				content[rapid.IntRange(0, len(content)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
				changes = append(changes, message(content))
			}
		}
		if len(changes) == 0 {
			return
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 4), 0, len(changes)).Draw(rt, "sizes")
		got := mapMessages(t, trusting(Options{}), 1001, parts(1, changes, sizes...))
		if !slices.Equal(want, got) {
			rt.Fatalf("parts of %v: got %q, want %q", sizes, got, want)
		}
	})
}
