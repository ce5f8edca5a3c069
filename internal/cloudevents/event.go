package cloudevents

import "strconv"

// SpecVersion is the version of the specification.
const SpecVersion = "1.0"

// Event is the source of an event's attributes.
type Event struct {
	ID      string // webhook-id
	Action  string // as the hook spells it
	Project int64  // 0: no project
	Task    int64  // 0: not exactly one task
	Time    string // commit time, RFC 3339
}

// AppendSource appends the event's source: the path of its project in Label Studio
// (/projects/7), a URI reference that stays the same for as long as the project exists.
// Together with the id it is unique within one database.
func (e *Event) AppendSource(dst []byte) []byte {
	dst = append(dst, '/')
	if e.Project == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, "projects/"...), e.Project, 10)
}

// AppendType appends the event's type: the reversed name of Label Studio's domain, then
// the action in lower case with dots for its underscores. Different actions have different
// types.
func (e *Event) AppendType(dst []byte) []byte {
	dst = append(dst, "io.labelstud."...)
	for i := range len(e.Action) {
		c := e.Action[i]
		switch {
		case c == '_':
			c = '.'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendSubject appends the event's subject within its source (tasks/42). An event that
// is not about exactly one task has none: nothing is appended.
func (e *Event) AppendSubject(dst []byte) []byte {
	if e.Task == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, "tasks/"...), e.Task, 10)
}
