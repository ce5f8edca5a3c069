package hook

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Choice holds the settings that people chose for a hook in hook_setting, in addition to
// its row of webhook. It is immutable.
//
// An unusable setting has no effect, and is a fault: a hook whose filter does not compile
// gets all of its events, and one with an invalid rate is not limited.
type Choice struct {
	state.Choice
	Limit  Rate
	Faults []string // what has to be mended

	filter *filter.Filter // nil: no usable filter
}

// orEmpty returns the choice, the empty one if c is nil.
func (c *Choice) orEmpty() *Choice {
	if c == nil {
		return new(Choice)
	}
	return c
}

// texts returns the columns.
func (c *Choice) texts() state.Choice { return c.orEmpty().Choice }

// sendsAs reports whether both are the same choice, except for the rate and the filter.
func (c *Choice) sendsAs(o *Choice) bool {
	a, b := c.texts(), o.texts()
	a.Rate, a.Filter = b.Rate, b.Filter
	return a.Equal(b)
}

// become returns the choice with these texts: c itself if they are unchanged, nil if they
// are empty.
func (c *Choice) become(texts state.Choice) *Choice {
	switch {
	case texts.Equal(c.texts()):
		return c
	case texts.Equal(state.Choice{}):
		return nil
	}
	now := &Choice{Choice: texts}
	var err error
	switch {
	case now.Filter == "":
	case c.orEmpty().filter != nil && c.Filter == now.Filter:
		now.filter = c.filter
	default:
		if now.filter, err = filter.Compile(now.Filter); err != nil {
			now.Faults = append(now.Faults, "filter: "+err.Error())
		}
	}
	if now.Rate != "" {
		if now.Limit, err = ParseRate(now.Rate); err != nil {
			now.Faults = append(now.Faults, "rate: "+err.Error())
		}
	}
	return now
}

// IsFiltered reports whether a filter decides which events the hook gets.
func (h *Hook) IsFiltered() bool { return h.Choice.orEmpty().filter != nil }

// Limit returns the limit of the hook's requests.
func (h *Hook) Limit() Rate { return h.Choice.orEmpty().Limit }

// choice reads the columns of the choice. Values missing from the row are taken from
// before.
func (r *reader) choice(before *Choice) *Choice {
	texts := before.texts()
	r.actions("events_added", &texts.Added)
	r.actions("events_removed", &texts.Removed)
	r.parse("filter", optional, func(text string) { texts.Filter = text })
	r.parse("rate", optional, func(text string) { texts.Rate = text })
	r.parse("format", optional, func(text string) { texts.Format = text })
	return before.become(texts)
}

func (r *reader) actions(column string, to *[]mapping.Action) {
	r.parse(column, optional, func(text string) {
		if *to = nil; text == "" {
			return
		}
		var elements pgtype.FlatArray[*string] // of any dimensions, as the column is not restricted
		if err := pgtype.NewMap().Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(text), &elements); err != nil {
			r.wrong(column, "is not an array of text")
			return
		}
		*to = state.Actions(elements)
	})
}

// Rate is the limit of a hook's requests. The zero Rate is no limit.
type Rate struct {
	Requests int
	Per      time.Duration // a second, a minute or an hour
}

const maxRequests = 1_000_000 // more than any receiver gets

// ParseRate parses "10/s", "600/m" or "1000/h".
func ParseRate(text string) (Rate, error) {
	number, unit, _ := strings.Cut(text, "/")
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	n, err := strconv.Atoi(number)
	if err != nil || !known || n < 1 || n > maxRequests || number[0] == '+' {
		return Rate{}, fmt.Errorf("%q is not a rate: use a number of requests per s, m or h, for example 10/s", text)
	}
	return Rate{Requests: n, Per: per}, nil
}

// PerSecond returns the requests per second.
func (r Rate) PerSecond() float64 { return float64(r.Requests) / r.Per.Seconds() }

// Format is the form of a hook's requests.
type Format string

// Formats. Others are refused.
const (
	LabelStudio           Format = ""                       // the application's own
	CloudEvents           Format = "cloudevents"            // CloudEvents 1.0, binary content mode: the same body, and headers
	CloudEventsStructured Format = "cloudevents-structured" // CloudEvents 1.0, structured content mode: the body within a JSON object
)

// ParseFormat reads the name of a form as people write it: labelstudio is one too.
func ParseFormat(text string) (Format, error) {
	switch f := Format(text); f {
	case "labelstudio":
		return LabelStudio, nil
	case LabelStudio, CloudEvents, CloudEventsStructured:
		return f, nil
	default:
		return LabelStudio, fmt.Errorf("format %.40q is invalid: use labelstudio, %s or %s", text, CloudEvents, CloudEventsStructured)
	}
}

// Format returns the form of the hook's requests.
func (h *Hook) Format() Format { return Format(h.Choice.texts().Format) }
