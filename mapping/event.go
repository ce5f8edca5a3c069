package mapping

import (
	"math/bits"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// Action is the name of a webhook event in Label Studio's spelling.
type Action string

// The seven actions of the webhooks guide, and those of the native profile only.
// https://labelstud.io/guide/webhooks
const (
	ProjectCreated     Action = "PROJECT_CREATED"
	ProjectUpdated     Action = "PROJECT_UPDATED"
	ProjectDeleted     Action = "PROJECT_DELETED"
	TaskCreated        Action = "TASK_CREATED" // the guide: one task
	AnnotationCreated  Action = "ANNOTATION_CREATED"
	AnnotationUpdated  Action = "ANNOTATION_UPDATED"
	AnnotationsDeleted Action = "ANNOTATIONS_DELETED"

	TasksCreated       Action = "TASKS_CREATED" // the application: a list of tasks
	TasksDeleted       Action = "TASKS_DELETED"
	AnnotationsCreated Action = "ANNOTATIONS_CREATED"
)

// Actions that hooktail adds to either profile, for hooks that list them.
const (
	TaskCompleted Action = "TASK_COMPLETED" // is_labeled has become true
	TaskReopened  Action = "TASK_REOPENED"  // is_labeled has become false
)

// ID identifies an event permanently: it is the same on every attempt, restart and
// replay. The ids of a transaction's events are in the order of the events. Events that
// depend on the whole transaction come last: the number of its row changes is added to
// their ordinals.
type ID struct {
	Timeline int32   // of the commit
	Commit   cdc.LSN // commit record
	Ordinal  int     // ordinal, within the transaction, of the row change that made the event; see ID
}

// String returns the form sent as webhook-id. It has no dot, which separates the signed
// parts in Standard Webhooks.
func (id ID) String() string { return string(id.Append(make([]byte, 0, 48))) }

// Append appends the result of String.
func (id ID) Append(dst []byte) []byte {
	if id.IsRepair() {
		dst = append(dst, "repair-"...)
	} else {
		dst = append(strconv.AppendInt(dst, int64(id.Timeline), 10), '-')
	}
	dst = append(appendHex(dst, uint64(id.Commit)), '-')
	return strconv.AppendInt(dst, int64(id.Ordinal), 10)
}

// AppendLSN appends the position of the commit in PostgreSQL's form.
func (id ID) AppendLSN(dst []byte) []byte {
	dst = append(appendHex(dst, uint64(id.Commit>>32)), '/')
	return appendHex(dst, uint64(uint32(id.Commit)))
}

// appendHex appends the number in capital hexadecimal digits.
func appendHex(dst []byte, n uint64) []byte {
	for shift := (bits.Len64(n|1) - 1) / 4 * 4; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789ABCDEF"[n>>shift&15])
	}
	return dst
}

// IsRepair reports whether the event was made from the tables to repair a gap. It has no
// timeline, which the server counts from 1, and Commit is the position where the stream
// continues after the gap, so that it precedes everything in the stream.
func (id ID) IsRepair() bool { return id.Timeline == 0 }

// CommittedLayout is the form in which requests give the time of a commit.
const CommittedLayout = "2006-01-02T15:04:05.000000Z07:00"

// Event is one event in Label Studio, as sent to hooks. It is made by Mapper.Events,
// completed by Locator.Locate and Renderer.Render, and read-only afterwards.
type Event struct {
	ID        ID
	Action    Action
	Committed time.Time     // by the database's clock
	Received  time.Time     // by the local clock
	Age       time.Duration // age of the commit when it was received, independent of clock differences

	Project      int64 // 0: unknown; after Locate: it cannot be known, and no hook gets the event
	Organization int64 // organization of the project; 0: unknown. Set by Locate.
	Task         int64 // task whose order the event keeps; 0: the order of the whole project (projects, several tasks)

	// Payload is the event's own members of the JSON object after "action", without
	// braces: `"annotation": {…}, "task": {…}`. Body adds the project, which the events
	// of a batch share. Set by Render; read-only.
	Payload []byte

	// EndedBy is the transaction that showed the end of the action, 0 if none did. It
	// must be visible when the event is rendered.
	EndedBy uint32

	ending  ending
	nested  *nested
	subject subject
}

// action is what identifies the end of an event's action.
type action struct {
	row   int64  // the annotation; 0: none, or several
	made  bool   // it created annotations
	user  int64  // the acting user; 0: unknown
	after string // updated_at of the annotation
	tasks []int64
}

// watched returns what identifies the end of the event's action. The rows must still be
// held.
func (e *Event) watched() action {
	s := &e.subject
	a := action{row: s.id, made: e.ending == saved || e.ending == listed || e.Action == AnnotationCreated}
	if s.group == nil {
		if e.Task != 0 {
			a.tasks = []int64{e.Task}
		}
		a.read(s.relation, s.image.row)
	} else {
		var tasks idSet
		for _, member := range s.group.members {
			tasks.add(member.task)
		}
		a.tasks = tasks.ids
		for _, kept := range s.group.rows {
			a.read(s.relation, kept.row)
		}
	}
	if s.group != nil || e.ending == listed { // several users may have created them
		a.user = 0
	}
	return a
}

// read takes the user from a row, and its time if that is later than the one known.
func (a *action) read(rel *cdc.Relation, row cdc.Tuple) {
	if !row.IsZero() {
		a.user = ref(row, rel.Index("updated_by_id"))
		a.after = max(a.after, string(row.Text(rel.Index("updated_at"))))
	}
}

// subject is the row or rows that the event is about. Rendering releases it.
type subject struct {
	relation *cdc.Relation
	id       int64
	image    image  // the row as of its commit; empty if it could not be kept
	group    *group // replaces the above if there may be several rows
}

// Rendered returns an event with what is sent of this one, and with no payload unless the caller
// wants it. It shares the payload, and none of the rows.
func (e *Event) Rendered(payload bool) *Event {
	out := &Event{ID: e.ID, Action: e.Action, Committed: e.Committed.UTC(), Project: e.Project, Task: e.Task}
	if payload {
		out.Payload, out.nested = e.Payload, e.nested
	}
	return out
}

// Release releases the rows of an event that is not rendered, since no hook wants its
// payload.
func (e *Event) Release() { e.subject = subject{} }

// nested is a member shared by several payloads: `"project": {…}`.
type nested struct {
	json   []byte
	shared int // number of events that share it
}

// Due returns when the user's action can be expected to have ended: settle after its
// commit, or immediately if the commit was older than that when it was received. A commit
// in the future, because the database's clock was set back, counts as one of now.
func (e *Event) Due(settle time.Duration) time.Time {
	return e.Received.Add(max(0, settle-max(0, e.Age)))
}

// Bytes returns the approximate memory of the event: itself, rows and payload, and its
// share of shared data. Rendering changes it.
func (e *Event) Bytes() int {
	own, shared, _ := e.BytesApart()
	if shared > 0 {
		own += shared / e.nested.shared
	}
	return own
}

// BytesApart returns the approximate memory of the event without shared data, and that of
// the shared data, which the last event with the same key releases; nil: it shares none.
func (e *Event) BytesApart() (own, shared int, key any) {
	own = eventBytes + len(e.Payload) + e.subject.image.row.Size() + e.subject.image.old.Size()
	if e.subject.group != nil {
		own += e.subject.group.bytes()
	}
	if e.nested == nil {
		return own, 0, nil
	}
	return own, len(e.nested.json), e.nested
}

// eventBytes is the size of an Event without what it refers to, rounded up to an
// allocation size.
const eventBytes = 288
