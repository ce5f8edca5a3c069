package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) backfillCommand() *cobra.Command {
	var want backfillChoice
	cmd := &cobra.Command{
		Use:   "backfill --hook ID --project ID --action ACTION",
		Short: "Send a hook events made from rows that exist already",
		Long: "backfill makes the creation events of a project's rows and sends them to one hook, one at a time in the order\n" +
			"of the rows' ids, with the header hooktail-origin: backfill. TASK_CREATED is made from tasks, PROJECT_CREATED\n" +
			"from projects, ANNOTATION_CREATED from annotations (ANNOTATION_UPDATED from skipped ones, if the hook wants\n" +
			"it). Rows do not tell of updates and deletions. An event keeps its webhook-id until its row changes.\n\n" +
			"A running hooktail goes on meanwhile; its events and these have no order between them.",
		Args: noArgs,
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			return c.backfill(ctx, a.sidecar(c.cfg, c.log, false), want)
		}),
	}
	flags := cmd.Flags()
	flags.Int64Var(&want.hook, "hook", 0, "hook to send to")
	flags.Int64Var(&want.project, "project", 0, "project of the rows")
	flags.StringVar(&want.action, "action", "", "event to make: TASK_CREATED, ANNOTATION_CREATED or PROJECT_CREATED")
	flags.StringVar(&want.since, "since", "", "only rows created since then: a duration such as 48h, or a time in RFC 3339")
	flags.Int64Var(&want.after, "after", 0, "only rows with a greater id, to continue an interrupted backfill")
	flags.StringVar(&want.rate, "rate", "100/s", "requests per s, m or h")
	flags.BoolVar(&want.dryRun, "dry-run", false, "only say how many there are")
	flags.BoolVar(&want.asJSON, "json", false, "print the result as a JSON object")
	return cmd
}

// backfillChoice is what is to be sent to whom, as the command line says it.
type backfillChoice struct {
	hook, project, after int64
	action, since, rate  string
	dryRun, asJSON       bool
}

// rows is which rows are meant, and how far apart their requests are.
func (w *backfillChoice) rows(now time.Time) (rows mapping.BackfillRows, every time.Duration, err error) {
	switch {
	case w.hook <= 0 || w.project <= 0 || w.action == "":
		return rows, 0, usageError{errors.New("backfill takes a hook, a project and an action: --hook ID --project ID --action ACTION")}
	case w.after < 0:
		return rows, 0, usageError{fmt.Errorf("--after=%d: it is the id of a row", w.after)}
	}
	rows = mapping.BackfillRows{Project: w.project, After: w.after}
	if every, err = parseRate(w.rate); err == nil && w.since != "" {
		rows.Since, err = sinceOf(w.since, now)
	}
	return rows, every, err
}

// backfill is one run of the command.
type backfill struct {
	*control
	want         backfillChoice
	organization int64 // of the project
	rows         *mapping.Backfill
	sender       *dispatch.Sender
	pace         pace
	progress     *progress

	hook    *dispatch.Hook                     // as it was when the last rows were read
	targets map[mapping.Action]dispatch.Target // of the hook, by what it wants

	events int   // delivered
	passed int   // rows without an event for the hook
	last   int64 // all rows up to this id are done
}

func (c *control) backfill(ctx context.Context, s *sidecar, want backfillChoice) error {
	choice, every, err := want.rows(time.Now())
	if err != nil {
		return err
	}
	options := s.mappingOptions()
	rows, err := mapping.NewBackfill(c.pool, options, mapping.Action(want.action), choice)
	if err != nil {
		return usageError{fmt.Errorf("--action=%s: %w", want.action, err)}
	}
	total, err := rows.Begin(ctx)
	if err != nil {
		return err
	}
	sender, err := s.sender(c.signing.of)
	if err != nil {
		return err
	}
	defer sender.Close()
	b := &backfill{
		control: c, want: want, rows: rows, sender: sender, pace: pace{every: every}, last: want.after,
		progress: newProgress(c.err, total, time.Now()),
	}
	if b.organization, err = c.organizationOf(ctx, options, want.project); err != nil {
		return err
	}
	if err := b.renew(ctx); err != nil {
		return err
	}
	err = b.run(ctx)
	b.progress.end()
	if err != nil {
		return fmt.Errorf("%w; delivered before that: %s; go on with %s", err, display.Count(b.events, "event"), b.rest(choice.Since))
	}
	return b.report(every)
}

// organizationOf is that of a project, which has to be there.
func (c *control) organizationOf(ctx context.Context, o mapping.Options, project int64) (int64, error) {
	e := &mapping.Event{Action: mapping.ProjectUpdated, Project: project}
	if err := mapping.NewLocator(c.pool, o).Locate(ctx, []*mapping.Event{e}); err != nil {
		return 0, err
	}
	if e.Organization == 0 {
		return 0, fmt.Errorf("there is no project %d", project)
	}
	return e.Organization, nil
}

// backfillBatch bounds the rows that are in memory at once.
const backfillBatch = 50

// run sends the events of all rows, in the order of their ids.
func (b *backfill) run(ctx context.Context) error {
	for {
		rows, err := b.rows.Next(ctx, backfillBatch)
		if err != nil || len(rows) == 0 {
			return interrupted(ctx, err)
		}
		if !b.want.dryRun {
			if err := b.renew(ctx); err != nil {
				return interrupted(ctx, err)
			}
			if err := b.rows.Render(ctx, rows); err != nil {
				return interrupted(ctx, err)
			}
		}
		for i := range rows {
			if err := b.row(ctx, &rows[i]); err != nil {
				return interrupted(ctx, err)
			}
			b.last = rows[i].ID
			b.progress.step(b.last, time.Now())
		}
	}
}

// row sends the row's event if the hook wants it.
func (b *backfill) row(ctx context.Context, row *mapping.BackfillRow) error {
	var target dispatch.Target
	wanted := false
	if row.Event != nil {
		target, wanted = b.target(row.Event.Action)
	}
	switch {
	case !wanted:
		b.passed++
		return nil
	case !b.want.dryRun:
		if err := b.send(ctx, row, target); err != nil {
			return err
		}
	}
	b.events++
	return nil
}

// renew reads the hook again: one that is switched off meanwhile gets nothing more.
func (b *backfill) renew(ctx context.Context) error {
	settings, err := b.store.Settings(ctx)
	if err != nil {
		return err
	}
	b.signing.update(settings)
	for _, setting := range settings {
		if setting.Hook == b.want.hook && (setting.Paused || !setting.Suspended.IsZero()) {
			return fmt.Errorf("hook %d is paused or suspended: resume it first (hooktail hooks resume %[1]d)", setting.Hook)
		}
	}
	b.hooks = dispatch.NewHooks(hooksOptions(b.cfg, slog.New(slog.DiscardHandler)))
	if err := loadHooks(ctx, b.pool, b.hooks, ""); err != nil {
		return err
	}
	found, err := b.find([]string{fmt.Sprint(b.want.hook)})
	if err != nil {
		return err
	}
	b.hook, b.targets = found[0], map[mapping.Action]dispatch.Target{}
	_, wanted := b.target(b.rows.Action())
	switch {
	case b.hook.Refused != dispatch.ReasonNone:
		return fmt.Errorf("hook %d: hooktail cannot send to it: %s", b.hook.ID, b.hook.Fault)
	case !wanted:
		return fmt.Errorf("hook %d does not get %s of project %d: it is off, of another project, or has not chosen the action (see `hooktail hooks list`)",
			b.hook.ID, b.rows.Action(), b.want.project)
	}
	b.hook = b.hook.From("backfill")
	return nil
}

// target is how the hook wants events of the action, as if they were of now.
func (b *backfill) target(action mapping.Action) (target dispatch.Target, wanted bool) {
	if target, wanted = b.targets[action]; wanted {
		return target, true
	}
	const skew = time.Hour // of the clocks: a hook may be new
	event := &mapping.Event{Action: action, Organization: b.organization, Project: b.want.project, Committed: time.Now().Add(skew)}
	for _, t := range b.hooks.Match(event, nil) {
		if t.Hook == b.hook.ID {
			b.targets[action] = t
			return t, true
		}
	}
	return target, false
}

// rest is the flags that choose what is left. The beginning is now a time: a
// duration would have moved it.
func (b *backfill) rest(since time.Time) string {
	flags := fmt.Sprintf("--after %d", b.last)
	if !since.IsZero() {
		flags = "--since " + since.UTC().Format(time.RFC3339Nano) + " " + flags
	}
	return flags
}

// backfilled is the result of a backfill.
type backfilled struct {
	Hook   int64 `json:"hook"`
	Events int   `json:"events"` // delivered, or that would be
	Passed int   `json:"passed"` // rows without an event that the hook wants
	Last   int64 `json:"last"`   // id of the last row
	DryRun bool  `json:"dry_run"`
}

func (b *backfill) report(every time.Duration) error {
	if b.want.asJSON {
		return printJSON(b.out, backfilled{b.hook.ID, b.events, b.passed, b.last, b.want.dryRun})
	}
	if b.want.dryRun {
		took := display.Span(time.Duration(b.events) * every)
		fmt.Fprintf(b.out, "hook %d would get %s, which takes %s at least", b.hook.ID, display.Count(b.events, "event"), took)
	} else {
		fmt.Fprintf(b.out, "hook %d: %s delivered", b.hook.ID, display.Count(b.events, "event"))
	}
	if b.passed > 0 {
		fmt.Fprintf(b.out, "; %s passed over, without an event that it wants", display.Count(b.passed, "row"))
	}
	_, err := fmt.Fprintf(b.out, "; the last row was %d\n", b.last)
	return err
}

// interrupted is the error, or what a person who stopped the command wants to read.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
