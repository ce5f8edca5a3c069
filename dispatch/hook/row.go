package hook

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Row is one row of webhook, webhook_action or hook_setting. Text returns the column's
// value in PostgreSQL's text form (UTC, ISO dates), or null; ok is false when the row
// does not say: no such column, or a TOASTed value that an UPDATE left alone.
type Row interface {
	Text(column string) (value string, null, ok bool)
}

// MissingColumnError says that rows of a hook table cannot be read, since they lack a
// column.
type MissingColumnError struct{ Column string }

func (e *MissingColumnError) Error() string { return fmt.Sprintf("column %s is missing", e.Column) }

// RequiredColumns are the columns without which the rows of a table cannot be read.
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

// readHook makes the hook of a row. What the row does not say is
// taken from before, the hook until now, if there is one; without one it is a
// MissingColumnError. A value that makes no sense refuses the hook.
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
		h.SendPayload = true // what is kept as dead is kept whole
	}
	r.parse("created_at", optional, func(text string) { h.CreatedAt = timeOf(text) })
	if _, null, _ := row.Text("url"); null { // it stays so in changes that do not say it again
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

// keyText is the text that names the row.
func keyText(row Row, column string) (string, error) {
	text, null, ok := row.Text(column)
	if null || !ok {
		return "", &MissingColumnError{column}
	}
	return text, nil
}

// Whether a row must have a column, unless it is known already.
const (
	required = true
	optional = false
)

// reader reads the columns of a row.
type reader struct {
	row     Row
	known   bool   // there is a value from before for what the row does not say
	missing string // the first required column that the row does not say, and nobody knows
	fault   string // of the first value that makes no sense, without the value
}

// parse hands the column's text over, empty for null and for a column that need
// not be there. It hands nothing over for what the row does not say of one that is
// known already, and for what must not be null.
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

// scope reads the id of an organization or a project. 0 stands for none, and is no id.
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

// timeOf reads a timestamp with time zone. It is zero for what no clock shows: there are
// timestamps before Christ, and infinite ones.
func timeOf(text string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", "2006-01-02 15:04:05.999999-07:00:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	return time.Time{}
}
