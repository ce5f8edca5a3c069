package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// PreviewOptions say for which hook and over which rows a filter is tried. All are required.
type PreviewOptions struct {
	Parked  *wiring.Parked
	Mapping mapping.Options
	Hook    *hook.Hook
	Filter  *filter.Filter
	Since   time.Time
	Most    int // events; then it ends

	Progress func(total int64) Progress // is called for each action, when its rows have been counted
}

// Preview is what a filter would have done.
type Preview struct {
	Hook     int64       `json:"hook"`
	Filter   string      `json:"filter"`
	Since    time.Time   `json:"since"`
	Actions  []Previewed `json:"actions"`   // with an event, in the order in which they were met
	Examples []Example   `json:"examples"`  // at most PreviewExamples for each action and verdict
	Cut      bool        `json:"truncated"` // there are more events
}

// Previewed is the numbers for one action.
type Previewed struct {
	Action  mapping.Action `json:"action"` // as the hook spells it
	Events  int            `json:"events"`
	Sent    int            `json:"sent"` // those that failed among them
	LeftOut int            `json:"filtered"`
	Failed  int            `json:"failed"`
}

// Example is one event.
type Example struct {
	Verdict string         `json:"verdict"` // sent, filtered or failed
	Action  mapping.Action `json:"action"`
	Row     int64          `json:"row"` // id of the project, the task or the annotation
	Project int64          `json:"project"`
	Task    int64          `json:"task,omitempty"`
	Error   string         `json:"error,omitempty"` // may quote the body
}

// Subject names the row that the event was made of.
func (e *Example) Subject() string {
	kind, _, _ := strings.Cut(strings.ToLower(string(e.Action)), "_")
	if kind = strings.TrimSuffix(kind, "s"); kind == "project" {
		return fmt.Sprintf("project %d", e.Row)
	}
	return fmt.Sprintf("%s %d of project %d", kind, e.Row, e.Project)
}

// The verdicts of examples.
const (
	VerdictSent     = "sent"
	VerdictFiltered = "filtered"
	VerdictFailed   = "failed"
)

// PreviewExamples is how many examples there are of each kind.
const PreviewExamples = 3

// preview is one run of TryFilter.
type preview struct {
	PreviewOptions
	out    Preview
	events int
	shown  map[Example]int // examples, by their verdicts and actions alone
}

// errCut ends a preview that has enough events.
var errCut = errors.New("there are more events")

// TryFilter tries the filter on the events that the hook wants of the rows that were created
// or updated since then. Nothing is sent or stored. Rows do not show deletions, nor how often
// they were updated.
func TryFilter(ctx context.Context, o PreviewOptions) (*Preview, error) {
	p := &preview{
		PreviewOptions: o, shown: make(map[Example]int),
		out: Preview{Hook: o.Hook.ID, Filter: o.Filter.String(), Since: o.Since.UTC(), Actions: []Previewed{}, Examples: []Example{}},
	}
	rows := changed{db: o.Parked.Pool, mapping: o.Mapping, project: o.Hook.Project, since: o.Since, progress: o.Progress}
	err := rows.each(ctx, p.page)
	if p.out.Cut = errors.Is(err, errCut); err != nil && !p.out.Cut {
		return nil, err
	}
	return &p.out, nil
}

// page tries the events of some rows. Only those that the hook wants are rendered.
func (p *preview) page(ctx context.Context, page *page) error {
	rows := slices.DeleteFunc(slices.Clone(page.rows), func(row mapping.BackfillRow) bool {
		if row.Event == nil {
			return true
		}
		_, wanted := p.Hook.TargetOf(row.Event)
		return !wanted
	})
	if err := page.all.Render(ctx, rows); err != nil {
		return err
	}
	for i := range rows {
		if p.events == p.Most {
			return errCut
		}
		p.events++
		p.event(&rows[i])
	}
	return nil
}

// event tries one event.
func (p *preview) event(row *mapping.BackfillRow) {
	target, _ := p.Hook.TargetOf(row.Event)
	members := row.Event.Members()
	pass, err := p.Filter.Pass(target.Action, filter.NewBody(members[:]...))
	n := p.of(target.Action)
	n.Events++
	example := Example{Verdict: VerdictFiltered, Action: target.Action}
	switch {
	case err != nil:
		n.Sent++
		n.Failed++
		example.Verdict = VerdictFailed
	case pass:
		n.Sent++
		example.Verdict = VerdictSent
	default:
		n.LeftOut++
	}
	if p.shown[example]++; p.shown[example] > PreviewExamples {
		return
	}
	example.Row, example.Project, example.Task = row.ID, row.Event.Project, row.Event.Task
	if err != nil {
		example.Error = err.Error()
	}
	p.out.Examples = append(p.out.Examples, example)
}

// of is the numbers for the action.
func (p *preview) of(action mapping.Action) *Previewed {
	i := slices.IndexFunc(p.out.Actions, func(n Previewed) bool { return n.Action == action })
	if i < 0 {
		i, p.out.Actions = len(p.out.Actions), append(p.out.Actions, Previewed{Action: action})
	}
	return &p.out.Actions[i]
}
