package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) doctorCommand() *cobra.Command {
	return withJSON("print an array of objects with id, severity (ok, note, warning, failure), what, why, mend", &cobra.Command{
		Use:   "doctor",
		Short: "Check the requirements of run, and what may fail later",
		Long: "doctor checks server, role, tables, publication, slot, hooks and NATS. For each problem it says why it matters and how\n" +
			"to fix it. It changes nothing and sends nothing: to a receiver it only opens a connection.\n\n" +
			"Exit code 0: no failure. 1: hooktail cannot run, loses events or endangers the application.",
		RunE: a.configured(a.examine),
	})
}

func (a *app) examine(cmd *cobra.Command, cfg config.Config) error {
	ctx := cmd.Context()
	log := slog.New(slog.DiscardHandler)
	replication, err := wiring.Replication(cfg)
	if err != nil {
		return err
	}
	signing, err := wiring.NewSigning(cfg, log)
	if err != nil {
		return err
	}
	sender, err := wiring.NewSender(cfg, version(), nil)
	if err != nil {
		return err
	}
	defer sender.Close()
	openLog, err := setup.LogOpener(cfg)
	if err != nil {
		return err
	}
	findings := doctor.Examine(ctx, doctor.Options{
		Config: cfg, Plan: wiring.PlanOf(cfg, wiring.IdentityFull), Hooks: wiring.HooksOptions(cfg, log),
		Secrets: signing.Ring, Keyed: signing.Keyed, Sender: sender,
		Open: wiring.Opener(cfg), OpenLog: openLog,
		Replication: replication, NotSenders: relay.NotSenders(), Now: time.Now,
		Redirects: func(ctx context.Context) map[int64]string { return redirects(ctx, cfg) },
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := printAnswer(cmd, findings, func() error { return printFindings(a.screen(), findings) }); err != nil {
		return err
	}
	if failures := tally(findings, doctor.Failure); failures > 0 {
		return fmt.Errorf("doctor: failures: %d", failures)
	}
	return nil
}

func redirects(ctx context.Context, cfg config.Config) map[int64]string {
	report, err := askRunning(ctx, cfg)
	if err != nil {
		return nil
	}
	seen := make(map[int64]string)
	for _, h := range report.Hooks {
		if h.Error != nil && h.Error.Redirect != "" && !h.Last.After(h.Error.At) {
			seen[h.ID] = h.Error.Redirect
		}
	}
	return seen
}

func tally(findings []doctor.Finding, s doctor.Severity) (n int) {
	for _, f := range findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func printFindings(screen display.Screen, findings []doctor.Finding) error {
	tones := map[doctor.Severity]display.Tone{
		doctor.OK: display.Good, doctor.Note: display.Faint, doctor.Warning: display.Doubtful, doctor.Failure: display.Bad,
	}
	const indent = "         "
	for _, f := range findings { // with texts of rows, which anybody may have written
		screen.Paragraph(screen.Paint(tones[f.Severity], fmt.Sprintf("%-8s ", f.Severity)), indent, f.ID+": "+display.Printable(f.What))
		if f.Severity != doctor.OK {
			screen.Paragraph(indent+"why:  ", indent+"      ", display.Printable(f.Why))
			fmt.Fprintf(screen, "%smend: %s\n", indent, display.Printable(f.Mend)) // on one line, so that it can be copied
		}
	}
	_, err := fmt.Fprintf(screen, "\nfailures: %d, warnings: %d, notes: %d, ok: %d\n", tally(findings, doctor.Failure), tally(findings, doctor.Warning),
		tally(findings, doctor.Note), tally(findings, doctor.OK))
	return err
}
