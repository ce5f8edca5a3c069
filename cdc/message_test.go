package cdc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rawMessage is a logical message.
func rawMessage(transactional bool, prefix, content string) []byte {
	flags := byte(0)
	if transactional {
		flags = 1
	}
	return concat('M', flags, uint64(9), prefix, uint32(len(content)), []byte(content))
}

// TestMessages: those of the prefix are changes in their place, also across parts and a
// connection that broke; those of others, and those that a rollback would not take back,
// are none and take no ordinal.
func TestMessages(t *testing.T) {
	t.Parallel()
	transaction := [][]byte{
		rawBegin(10, 1), rawRelation(1, "a"), rawInsert(1, "1"), rawMessage(true, "ours", "x"), rawMessage(true, "theirs", "y"),
		rawMessage(false, "ours", "z"), rawInsert(1, "2"), rawMessage(true, "ours", strings.Repeat("l", MaxMessage+1)), rawCommit(10),
	}
	want := []string{"0 insert a 1", "1 message ours x", "2 insert a 2", "3 message ours (null)"}
	for name, cut := range map[string]bool{"whole": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAssembler()
			a.rows = 2
			if cut {
				mustFeed(t, a, transaction[:7]...)
				a.cut()
			}
			mustFeed(t, a, transaction...)
			if diff := cmp.Diff(want, shownChanges(a.flush())); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func shownChanges(parts []*Part) []string {
	var out []string
	for _, p := range parts {
		for _, c := range p.Changes {
			text := "(null)"
			if c.New.Kind(0) == Text {
				text = string(c.New.Text(0))
			}
			out = append(out, strings.Join([]string{string(rune('0' + c.Ordinal)), c.Op.String(), c.Relation.Name, text}, " "))
		}
	}
	return out
}

// TestMessageAlone: a transaction of nothing else has a part of its own, and one whose
// messages are all somebody else's has none, and is done.
func TestMessageAlone(t *testing.T) {
	t.Parallel()
	a := newAssembler()
	mustFeed(t, a, rawBegin(10, 1), rawMessage(true, "ours", "x"), rawCommit(10), rawBegin(20, 2), rawMessage(true, "theirs", "y"), rawCommit(20))
	if diff := cmp.Diff([]string{"0 message ours x"}, shownChanges(a.flush())); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if err := feed(a, rawMessage(true, "ours", "x")); err == nil {
		t.Error("a transactional message outside a transaction is no error")
	}
}
