package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) statusCommand() *cobra.Command {
	return withJSON("print the report as served at /status", &cobra.Command{
		Use:   "status",
		Short: "Show the state of the stream and the hooks",
		Long: "status asks the hooktail running on HOOKTAIL_HTTP_ADDR. If none runs there, it says so and shows the state in\n" +
			"the database: the slot, and parked and dead deliveries.",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			report, err := a.reportOf(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return printAnswer(cmd, report, func() error { return printStatus(a.screen(), &report) })
		}),
	})
}

// reportOf returns the report of the running hooktail, or of the database alone.
func (a *app) reportOf(ctx context.Context, cfg config.Config) (status.Report, error) {
	report, err := askRunning(ctx, cfg)
	if err == nil {
		return report, nil
	}
	fmt.Fprintf(a.stderr, "hooktail: %v; showing database state only\n", err)
	return reportOfDatabase(ctx, cfg)
}

// askRunning is askRunningOf for a caller that has no connection to the database.
func askRunning(ctx context.Context, cfg config.Config) (status.Report, error) {
	return askRunningOf(ctx, cfg, func(ctx context.Context) (here state.Identity, err error) {
		pool, err := wiring.OpenPool(ctx, cfg)
		if err != nil {
			return here, err
		}
		defer pool.Close()
		return state.Here(ctx, pool)
	})
}

// askRunningOf asks the hooktail that runs on HOOKTAIL_HTTP_ADDR. It refuses the answer of one that
// reads another slot or server, whose hooks have the same ids. If the database does not say
// soon which server it is, the answer counts.
func askRunningOf(ctx context.Context, cfg config.Config, identify func(context.Context) (state.Identity, error)) (status.Report, error) {
	report, err := status.Ask(ctx, cfg.HTTPAddr)
	if err != nil || report.Stream == nil {
		return report, err
	}
	other := status.Report{}
	if report.Stream.Slot != cfg.Slot {
		return other, fmt.Errorf("the hooktail on %s reads another slot, %q", cfg.HTTPAddr, report.Stream.Slot)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	here, err := identify(ctx)
	if err == nil && here.System != "" && report.Stream.SystemID != "" && here.System != report.Stream.SystemID {
		return other, fmt.Errorf("the hooktail on %s reads another server, of system identifier %s", cfg.HTTPAddr, report.Stream.SystemID)
	}
	return report, nil
}

// reportOfDatabase returns the report for a hooktail that is not running.
func reportOfDatabase(ctx context.Context, cfg config.Config) (status.Report, error) {
	r := status.Report{
		Version: version(), Time: time.Now().UTC(), Hooks: []status.Hook{}, Recent: []status.Attempt{}, Progress: []status.Progress{},
		Reason: "not running; this is database state only",
	}
	pool, err := wiring.OpenPool(ctx, cfg)
	if err != nil {
		return r, err
	}
	defer pool.Close()
	if err := reportSlot(ctx, pool, cfg.Slot, &r); err != nil {
		return r, err
	}
	known, err := wiring.ReadKnown(ctx, pool, cfg)
	if err != nil {
		return r, err
	}
	for _, hook := range known.Hooks.All() {
		r.Hooks = append(r.Hooks, relay.StoredHook(hook, known.Settings[hook.ID], known.Backlogs[hook.ID]))
	}
	r.Unreadable, r.Log = relay.UnreadableRows(known.Hooks), relay.ReadLog(ctx, cfg, pool)
	return r, nil
}

// reportSlot adds the state of the slot, which may be missing.
func reportSlot(ctx context.Context, db cdc.Querier, slot string, r *status.Report) error {
	disk, err := cdc.ReadDisk(ctx, db, slot)
	if fault, ok := errors.AsType[*cdc.Fault](err); ok && fault.Reason == cdc.SlotMissing {
		r.Reason += fmt.Sprintf("; there is no slot %s: see hooktail setup", slot)
		return nil
	}
	if err != nil {
		return err
	}
	r.Stream = &status.Stream{Slot: slot, Confirmed: disk.Confirmed.String(), ServerEnd: disk.End.String(), Active: &disk.Active}
	relay.DescribeDisk(r.Stream, disk, disk.Confirmed)
	return nil
}

func printStatus(screen display.Screen, r *status.Report) error {
	table := screen.Table()
	switch {
	case !r.Running:
		table.Row("hooktail", r.Reason)
	case r.Ready:
		table.Row("hooktail", display.Cell{Text: fmt.Sprintf("%s, %s, ready, for %s", r.Version, r.Role, display.Span(r.Time.Sub(r.Started))), Tone: display.Good})
	default:
		table.Row("hooktail", display.Cell{Text: fmt.Sprintf("%s, %s, not ready: %s, for %s", r.Version, r.Role, r.Reason, display.Span(r.Time.Sub(r.Started))), Tone: display.Bad})
	}
	for _, line := range slices.Concat(aboutStream(r.Stream, r.Running), r.Log.Lines()) {
		table.Row(line[0], line[1])
	}
	for _, p := range r.Progress {
		table.Row("progress", p.About)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(r.Hooks) == 0 {
		return nil
	}
	fmt.Fprintln(screen)
	return printHookStates(screen, r)
}

// printHookStates prints one line per hook, those that need attention first and with the
// reason.
func printHookStates(screen display.Screen, r *status.Report) error {
	header := []any{"HOOK", "STATE", "PARKED", "DEAD", "URL"}
	if r.Running {
		header = []any{"HOOK", "STATE", "QUEUED", "PARKED", "DEAD", "DELIVERED", "P99", "URL"}
	}
	table := screen.Table(header...)
	for _, h := range byNeed(r.Hooks) {
		if r.Running {
			table.Row(h.ID, stateCell(h), h.Queued, h.Parked, h.Dead, h.Counts.Delivered, spanOf(h.P99), maskedURL(h.URL))
		} else {
			table.Row(h.ID, stateCell(h), h.Parked, h.Dead, maskedURL(h.URL))
		}
		table.Note(noteOn(h, r))
	}
	return table.Flush()
}

func aboutStream(s *status.Stream, running bool) [][2]string {
	if s == nil {
		return nil
	}
	about := []string{"slot " + s.Slot, "confirmed " + s.Confirmed}
	if s.LagBytes != nil {
		about = append(about, display.Size(*s.LagBytes)+" behind")
	}
	if s.LagSeconds != nil {
		about = append(about, display.Seconds(*s.LagSeconds)+" late")
	}
	if running && !s.Connected {
		about = append(about, "not connected")
	}
	if s.Active != nil {
		about = append(about, map[bool]string{true: "in use", false: "not in use"}[*s.Active])
	}
	lines := [][2]string{{"stream", strings.Join(about, ", ")}}
	if s.Retained != nil && s.Safe != nil {
		disk := display.Size(*s.Retained) + " of WAL retained for the slot, "
		switch {
		case s.Lost:
			disk += "and the slot is lost: hooktail repair"
		case *s.Safe == cdc.NoLimit:
			disk += "without a limit: the disk can fill up"
		default:
			disk += display.Size(*s.Safe) + " until it is lost"
		}
		lines = append(lines, [2]string{"disk", disk})
	}
	if running {
		lines = append(lines, [2]string{"delivery", fmt.Sprintf("%.1f per second, %s in the lanes, open transactions: %d", s.Rate, display.Size(s.LaneBytes), s.Transactions)})
	}
	return lines
}

func spanOf(seconds *float64) string {
	if seconds == nil {
		return display.Text("")
	}
	return display.Seconds(*seconds)
}
