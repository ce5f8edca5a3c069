package dispatch

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Hook is one row of webhook with the actions that it chose. It is immutable:
// a row that changes becomes another Hook.
type Hook struct {
	ID           int64
	Organization int64
	Project      int64 // 0: every project of the organization
	URL          URL
	Headers      Headers
	SendPayload  bool
	AllActions   bool
	Active       bool             // the application sends to it as well
	Adopted      bool             // hooktail serves it although it need not be active
	Actions      []mapping.Action // chosen, in alphabetical order
	CreatedAt    time.Time

	Refused Reason // other than ReasonNone: nothing can be sent, see Fault
	Fault   string // what has to be mended, without secrets

	served   bool          // see Served
	since    time.Time     // events committed before are not for it; zero: all are
	revision uint64        // another one after every change of the row
	host     string        // of the URL, in lower case and without the port
	template *http.Request // without a body and what differs per attempt; read-only
	private  *[]string     // what nobody is to be shown of it; a pointer, which prints as one

	urlFault, headersFault error // of the columns as they were last read
}

// Row is one row of webhook or webhook_action. Text returns the column's value
// in PostgreSQL's text form (UTC, ISO dates), or null; ok is false when the row
// does not say: no such column, or a TOASTed value that an UPDATE left alone.
type Row interface {
	Text(column string) (value string, null, ok bool)
}

// readHook makes the hook of a row. What the row does not say is taken from
// before, the hook until now, if there is one.
func readHook(row Row, before *Hook) (*Hook, error) {
	h, known := &Hook{}, before != nil
	if known {
		*h = *before
	}
	r := reader{row: row, known: known}
	r.integer("id", &h.ID, required)
	r.integer("organization_id", &h.Organization, required)
	r.integer("project_id", &h.Project, optional)
	r.boolean("send_payload", &h.SendPayload, required)
	r.boolean("send_for_all_actions", &h.AllActions, required)
	r.boolean("is_active", &h.Active, required)
	r.timestamp("created_at", &h.CreatedAt, optional)
	r.parse("url", required, func(text string) { h.URL, h.urlFault = ParseURL(text) })
	r.parse("headers", optional, func(text string) { h.Headers, h.headersFault = ParseHeaders(text) })
	if r.err != nil {
		return nil, fmt.Errorf("read webhook: %w", r.err)
	}
	h.judge()
	return h, nil
}

// judge refuses the hook if its URL or headers cannot be used, and otherwise
// makes it ready to send.
func (h *Hook) judge() {
	h.Refused, h.Fault, h.template, h.private = ReasonNone, "", nil, nil
	switch {
	case h.urlFault != nil:
		h.Refused, h.Fault = ReasonBadURL, h.urlFault.Error()
	case h.headersFault != nil:
		h.Refused, h.Fault = ReasonBadHeaders, h.headersFault.Error()
	default:
		h.template = newTemplate(h.URL, h.Headers)
		h.private = privateOf(h.template, h.URL)
		h.host = strings.ToLower(h.URL.parsed.Hostname())
	}
}

// newTemplate is the request that every attempt copies. Credentials in the URL
// become basic authentication unless the hook has an Authorization header.
func newTemplate(u URL, headers Headers) *http.Request {
	r := &http.Request{
		Method: http.MethodPost, URL: u.parsed, Host: u.parsed.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: headers.header(),
	}
	if user := u.parsed.User; user != nil {
		if r.Header.Get("Authorization") == "" {
			password, _ := user.Password()
			r.SetBasicAuth(user.Username(), password)
		}
		bare := *u.parsed
		bare.User = nil
		r.URL = &bare
	}
	return r
}

// wants reports whether the hook chose the action, and under which spelling. It
// does not ask whether the hook is active or of the event's project.
func (h *Hook) wants(action mapping.Action) (mapping.Action, bool) {
	if h.AllActions || slices.Contains(h.Actions, action) {
		return action, true
	}
	if other := otherSpelling(action); other != "" && slices.Contains(h.Actions, other) {
		return other, true
	}
	return "", false
}

// taskDeleted is the guide's spelling of mapping.TasksDeleted.
const taskDeleted mapping.Action = "TASK_DELETED"

// otherSpelling is the name that means the same: the guide and the application
// differ in those of tasks.
func otherSpelling(action mapping.Action) mapping.Action {
	switch action {
	case mapping.TaskCreated:
		return mapping.TasksCreated
	case mapping.TasksCreated:
		return mapping.TaskCreated
	case mapping.TasksDeleted:
		return taskDeleted
	case taskDeleted:
		return mapping.TasksDeleted
	default:
		return ""
	}
}

// Whether a row must have a column, unless the hook is known already.
const (
	required = true
	optional = false
)

// reader reads a row's columns until the first fault.
type reader struct {
	row   Row
	known bool // there is a value from before for what the row does not say
	err   error
}

// parse hands the column's text over, empty for null and for a column that need
// not be there. It hands nothing over for what the row does not say of a hook
// that is known already.
func (r *reader) parse(column string, must bool, set func(text string)) {
	text, null, ok := r.row.Text(column)
	switch {
	case r.err != nil || !ok && r.known:
	case must && (null || !ok):
		r.err = fmt.Errorf("column %s is missing", column)
	default:
		set(text)
	}
}

func (r *reader) integer(column string, to *int64, must bool) {
	r.parse(column, must, func(text string) {
		*to = 0
		if text == "" {
			return
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			r.err = fmt.Errorf("column %s is not an integer", column)
		}
		*to = n
	})
}

func (r *reader) boolean(column string, to *bool, must bool) {
	r.parse(column, must, func(text string) {
		switch text {
		case "t", "true":
			*to = true
		case "f", "false":
			*to = false
		default:
			r.err = fmt.Errorf("column %s is not a boolean", column)
		}
	})
}

func (r *reader) timestamp(column string, to *time.Time, must bool) {
	r.parse(column, must, func(text string) {
		if text == "" {
			return
		}
		for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00"} {
			if t, err := time.Parse(layout, text); err == nil {
				*to = t
				return
			}
		}
		r.err = fmt.Errorf("column %s is not a timestamp with time zone in ISO form", column)
	})
}
