package mapping

import (
	"math/bits"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// Action is the name of a webhook event as Label Studio spells it.
type Action string

// The seven actions of the webhooks guide, and those that only the application's
// own profile (native) has. https://labelstud.io/guide/webhooks
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

// The actions that hooktail itself adds to either profile, for hooks that list them.
const (
	TaskCompleted Action = "TASK_COMPLETED" // is_labeled has turned true
	TaskReopened  Action = "TASK_REOPENED"  // and false
)

// ID names an event for good: the same on every attempt, restart and replay. The ids of
// a transaction's events are in the order in which they are told: those that depend on
// the whole transaction come last, with the number of its row changes added to the ordinal.
type ID struct {
	Timeline int32   // of the commit
	Commit   cdc.LSN // of the commit record
	Ordinal  int     // of the row change that made the event, within its transaction; see ID
}

// String is the form that is sent as webhook-id: without a dot, which
// separates the signed parts in Standard Webhooks.
func (id ID) String() string { return string(id.Append(make([]byte, 0, 48))) }

// Append appends what String returns.
func (id ID) Append(dst []byte) []byte {
	if id.IsRepair() {
		dst = append(dst, "repair-"...)
	} else {
		dst = append(strconv.AppendInt(dst, int64(id.Timeline), 10), '-')
	}
	dst = append(appendHex(dst, uint64(id.Commit)), '-')
	return strconv.AppendInt(dst, int64(id.Ordinal), 10)
}

// AppendLSN appends the position of the commit as PostgreSQL writes it.
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

// IsRepair reports whether the event was made of the tables, to mend a gap: it has
// no timeline, which the server counts from 1, and Commit is where the stream goes on
// after the gap, so that it is before all that the stream brings.
func (id ID) IsRepair() bool { return id.Timeline == 0 }

// Event is one thing that happened in Label Studio: what a hook is told.
// It is made by Mapper.Events, completed by Locator.Locate and Renderer.Render,
// and read-only afterwards.
type Event struct {
	ID        ID
	Action    Action
	Committed time.Time     // by the clock of the database
	Received  time.Time     // by the own clock
	Age       time.Duration // of the commit when it was received, clocks left out

	Project      int64 // 0: not known; after Locate: it cannot be known, and nobody gets the event
	Organization int64 // of the project; 0: not known. Set by Locate.
	Task         int64 // whose order the event obeys; 0: the whole project's (projects, several tasks)

	// Payload is the JSON object's members after "action" that are the event's
	// own, without braces: `"annotation": {…}, "task": {…}`. Body adds the
	// project, which the events of a batch share. Set by Render; read-only.
	Payload []byte

	// EndedBy is the transaction that has shown the end of the action, 0 if none has.
	// What it did has to be seen where the event is rendered.
	EndedBy uint32

	ending  ending
	nested  *nested
	subject subject
}

// action is what is looked for of an event's action.
type action struct {
	row   int64 // the annotation; 0: several
	made  bool  // it made annotations
	user  int64
	after string
	tasks []int64
}

// watched is what the end of the event's action is told by. The rows must not have been
// let go.
func (e *Event) watched() action {
	s := &e.subject
	a := action{made: e.ending == saved || e.ending == listed || e.Action == AnnotationCreated}
	if s.group == nil {
		if e.Task != 0 {
			a.tasks = []int64{e.Task}
		}
		a.row = s.id
		a.read(s.relation, s.image.row)
		if e.ending == listed {
			a.user = 0
		}
		return a
	}
	seen := idSet{}
	for _, member := range s.group.members {
		seen.add(member.task)
	}
	a.tasks = seen.ids
	for _, kept := range s.group.rows {
		a.read(s.relation, kept.row)
	}
	a.user = 0 // several may have made them
	return a
}

// read takes from a row who saved it, and when if that is later than what is known.
func (a *action) read(rel *cdc.Relation, row cdc.Tuple) {
	if rel == nil || row.IsZero() {
		return
	}
	a.user = ref(row, rel.Index("updated_by_id"))
	a.after = max(a.after, string(row.Text(rel.Index("updated_at"))))
}

// subject is the row, or the rows, that the event is about. Rendering lets go
// of it.
type subject struct {
	relation *cdc.Relation
	id       int64
	image    image  // the row as of its commit; none if it could not be kept
	group    *group // instead of the above, if there may be several rows
}

// nested is a member of many payloads: `"project": {…}`.
type nested struct {
	json   []byte
	shared int // by how many events
}

// Due is when the user's action that made the event can be expected to have
// ended, and the event to be rendered: settle after its commit, or at once if
// that was longer ago than that when it was received. A commit that lies in the
// future, since the database's clock was set back, is taken for one of just now.
func (e *Event) Due(settle time.Duration) time.Time {
	return e.Received.Add(max(0, settle-max(0, e.Age)))
}

// Bytes is about how much memory the event holds: itself, rows and payload, with
// its share of what it shares. Rendering changes it.
func (e *Event) Bytes() int {
	n := eventBytes + len(e.Payload) + e.subject.image.row.Size() + e.subject.image.old.Size()
	if e.subject.group != nil {
		n += e.subject.group.bytes()
	}
	if e.nested != nil {
		n += len(e.nested.json) / e.nested.shared
	}
	return n
}

// eventBytes is the size of an Event without what it refers to, rounded up to
// the allocator's next size.
const eventBytes = 288
