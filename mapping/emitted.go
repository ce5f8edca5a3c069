package mapping

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/hooktail/hooktail/cdc"
)

// A custom event is a logical message written by the function emit of hooktail's schema
// in its caller's transaction. Its content is a line with the version and the message's
// code, followed by the text that the code authenticates:
//
//	1 CODE
//	XID      the whole id of the transaction, with its epoch
//	NUMBER   greater than that of each message before
//	ACTION
//	PROJECT
//	TASK     or an empty line
//	PAYLOAD  JSON, to the end
//
// Everybody who can log in can write any message, and whoever may replicate can read them
// all. The code is SHA-256(outer ‖ SHA-256(inner ‖ text)), with two secret keys of the
// hash's block size: NMAC, of which HMAC (RFC 2104) is the form with one key, so that no
// text can be made longer. The text begins with the server's identity. So a message has a
// meaning on its server, in its transaction, once: its xid is compared with that of the
// Begin message, which is the top transaction's also where a subtransaction has written it,
// and numbers that do not grow are repeated ones.
//
// Within one transaction, what was written in a savepoint and rolled back can be written
// again by the transaction itself, as long as nothing newer was written.

// ErrUnproven states that a part has a message that the known keys do not prove.
var ErrUnproven = errors.New("message that the known keys do not prove")

// Keys prove that messages were written by the function emit. They are secret.
type Keys struct {
	Inner, Outer []byte
	System       string // identity of the server
	XID          uint64 // a recent transaction id, with its epoch
}

// Code returns the code of the lines after the first one.
func (k *Keys) Code(text []byte) []byte {
	inner := sha256.New()
	for _, piece := range [][]byte{k.Inner, []byte(k.System), {'\n'}, text} {
		inner.Write(piece)
	}
	outer := sha256.Sum256(slices.Concat(k.Outer, inner.Sum(nil)))
	return outer[:]
}

// whole returns the transaction's id with its epoch: the one nearest to k.XID.
func (k *Keys) whole(xid uint32) uint64 {
	return k.XID + uint64(int64(int32(xid-uint32(k.XID))))
}

// String hides the keys.
func (k *Keys) String() string { return "***" }

type emitted struct {
	action        Action
	project, task int64 // task 0: none
	number        uint64
	payload       []byte

	xid         uint64
	code, coded []byte // coded is the text that the code authenticates
}

// custom matches the names of actions that can be emitted, including reserved ones.
var custom = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// Reserved returns the actions that cannot be emitted: the application's own, those that
// it may send for other tables, and those that hooktail makes.
func Reserved() []Action {
	return slices.Concat(actions[:], []Action{
		TaskCompleted, TaskReopened, "TASK_DELETED", "LABEL_LINK_CREATED", "LABEL_LINK_UPDATED", "LABEL_LINK_DELETED",
		"REVIEW_CREATED", "REVIEW_UPDATED", "REVIEWS_DELETED", "START_TRAINING",
	})
}

// IsCustom reports whether the action can be emitted.
func (a Action) IsCustom() bool {
	return !slices.Contains(Reserved(), a) && custom.MatchString(string(a))
}

// parseEmitted parses a message without checking its author.
func parseEmitted(content []byte) (e emitted, ok bool) {
	first, coded, ok := bytes.Cut(content, []byte{'\n'})
	if !ok || len(first) != len("1 ")+2*sha256.Size || string(first[:2]) != "1 " {
		return emitted{}, false
	}
	e.code, e.coded = first[len("1 "):], coded
	lines := bytes.SplitN(coded, []byte{'\n'}, 6)
	if len(lines) < 6 {
		return emitted{}, false
	}
	unsigned := func(text []byte) uint64 {
		n, err := strconv.ParseUint(string(text), 10, 64)
		ok = ok && err == nil
		return n
	}
	id := func(text []byte) int64 {
		n, isID := number(text)
		ok = ok && isID
		return n
	}
	e.xid, e.number = unsigned(lines[0]), unsigned(lines[1])
	e.action, e.project, e.payload = Action(lines[2]), id(lines[3]), lines[5]
	if len(lines[4]) > 0 {
		e.task = id(lines[4])
	}
	return e, ok && len(e.payload) > 0 && e.project != 0 && e.action.IsCustom()
}

// prove parses a message of that transaction. ok is false unless the function emit wrote
// it there.
func (k *Keys) prove(xid uint32, content []byte) (_ emitted, ok bool) {
	e, ok := parseEmitted(content)
	if !ok || k == nil || e.xid != k.whole(xid) || subtle.ConstantTimeCompare(e.code, hex.AppendEncode(nil, k.Code(e.coded))) != 1 {
		return emitted{}, false
	}
	k.XID = max(k.XID, e.xid)
	return e, true
}

// Trust gives the mapper the present keys that prove messages; nil: there are none, and
// the previous ones remain. Messages in the next part that these keys do not prove are
// dropped.
func (m *Mapper) Trust(keys *Keys) {
	if keys != nil {
		m.keys = keys
	}
	m.asked = true
}

// ofMessage appends the event of a message. An unproven message is only counted.
func (m *Mapper) ofMessage(part *cdc.Part, c *cdc.Change, dst []*Event) []*Event {
	told, ok := m.keys.prove(part.XID, c.New.Text(0))
	if !ok || told.number <= m.tx.number {
		m.forge(part, ok)
		return dst
	}
	m.tx.number = told.number
	e := m.event(part, told.action, told.project, c.Ordinal)
	e.Task, e.ending = told.task, atOnce
	e.subject = subject{relation: c.Relation, image: image{row: c.New}}
	return append(dst, e)
}

// forge counts an unproven message. It logs the first one, the tenth, the hundredth and
// so on: anyone who can log in can write any number.
func (m *Mapper) forge(part *cdc.Part, repeated bool) {
	m.opts.Metrics.Forged()
	m.forged++
	for n := m.forged; n > 1; n /= 10 {
		if n%10 != 0 {
			return
		}
	}
	m.opts.Log.Warn("forged message: it imitates a custom event and makes no event",
		"lsn", part.Commit, "xid", part.XID, "repeated", repeated, "so_far", m.forged)
}

func payloadOf(row cdc.Tuple) []byte {
	e, _ := parseEmitted(row.Text(0)) // it was looked at when the event was made
	return e.payload
}
