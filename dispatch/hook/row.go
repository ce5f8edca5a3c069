package hook

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Row is one row of webhook, webhook_action or hook_setting. Text returns the column's
// value in PostgreSQL's text form (UTC, ISO dates), or null; ok is false if the row does
// not contain it: there is no such column, or it is an unchanged TOASTed value of an
// UPDATE.
type Row interface {
	Text(column string) (value string, null, ok bool)
}

// MissingColumnError states that rows of a hook table cannot be read, since they lack a
// column.
type MissingColumnError struct{ Column string }

func (e *MissingColumnError) Error() string { return fmt.Sprintf("column %s is missing", e.Column) }

// RequiredColumns returns the columns without which the rows of a table cannot be read, the
// key first.
func RequiredColumns(t Table) []string {
	switch t {
	case Webhook:
		return []string{"id", "organization_id", "send_payload", "send_for_all_actions", "is_active", "url"}
	case WebhookAction:
		return []string{"id", "webhook_id", "action"}
	default:
		return []string{"hook_id", "adopted"}
	}
}

// readHook returns the hook of a row. Values missing from the row are taken from before,
// the previous hook; if that is nil, a missing value is a MissingColumnError. An invalid
// value refuses the hook.
func readHook(row Row, before *Hook) (*Hook, error) {
	h := &Hook{}
	if before != nil {
		*h = *before
	}
	r := reader{row: row, known: before != nil}
	r.scope("id", &h.ID, required)
	r.scope("organization_id", &h.Organization, required)
	r.scope("project_id", &h.Project, optional)
	r.boolean("send_for_all_actions", &h.AllActions)
	r.boolean("is_active", &h.Active)
	h.unbound = r.fault != ""
	r.boolean("send_payload", &h.SendPayload)
	if r.fault != "" {
		h.SendPayload = true // dead deliveries are stored with their payload
	}
	r.parse("created_at", optional, func(text string) { h.CreatedAt = timeOf(text) })
	if _, null, _ := row.Text("url"); null { // later changes may not repeat the column
		h.URL, h.urlFault = URL{}, errors.New("column url is null")
	} else {
		r.parse("url", required, func(text string) { h.URL, h.urlFault = ParseURL(text) })
	}
	r.parse("headers", optional, func(text string) { h.Headers, h.headersFault = ParseHeaders(text) })
	if r.missing != "" {
		return nil, fmt.Errorf("read webhook: %w", &MissingColumnError{r.missing})
	}
	h.rowFault = r.fault
	h.judge()
	return h, nil
}

func keyText(row Row, column string) (string, error) {
	text, null, ok := row.Text(column)
	if null || !ok {
		return "", &MissingColumnError{column}
	}
	return text, nil
}

// Whether a row must have a column, unless its value is known already.
const (
	required = true
	optional = false
)

type reader struct {
	row     Row
	known   bool   // missing values are taken from an earlier row
	missing string // first required column that is missing and unknown
	fault   string // about the first invalid value, without the value
}

// parse calls set with the column's text, empty for null and for an optional column that
// is missing. It does not call set for missing values that are known from before, nor for
// a null that is not allowed.
func (r *reader) parse(column string, must bool, set func(text string)) {
	text, null, ok := r.row.Text(column)
	switch {
	case !ok && r.known:
	case !ok && must:
		if r.missing == "" {
			r.missing = column
		}
	case null && must:
		r.wrong(column, "is null")
	default:
		set(text)
	}
}

func (r *reader) wrong(column, what string) {
	if r.fault == "" {
		r.fault = "column " + column + " " + what
	}
}

func (r *reader) integer(column string, to *int64, must bool) {
	r.parse(column, must, func(text string) {
		if *to = 0; text == "" && !must {
			return
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			r.wrong(column, "is not an integer")
			return
		}
		*to = n
	})
}

// scope reads the id of an organization or a project. 0 means none, and is not an id.
func (r *reader) scope(column string, to *int64, must bool) {
	r.integer(column, to, must)
	if text, _, ok := r.row.Text(column); ok && text != "" && *to == 0 {
		r.wrong(column, "is 0")
	}
}

func (r *reader) boolean(column string, to *bool) {
	r.parse(column, required, func(text string) {
		switch text {
		case "t", "true":
			*to = true
		case "f", "false":
			*to = false
		default:
			r.wrong(column, "is not a boolean")
		}
	})
}

// timeOf parses a timestamp with time zone. It returns zero for times that cannot be
// represented, such as infinity or years before Christ.
func timeOf(text string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", "2006-01-02 15:04:05.999999-07:00:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}
