package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/config"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that run needs, and what will hurt later",
		Long: "doctor looks at server, role, tables, publication, slot and hooks, and says what is wrong, why it matters and how\n" +
			"it is mended. It changes nothing, and sends nothing to a receiver: it connects, and hangs up.\n\n" +
			"Exit code 0: no failure. 1: at least one, that is, hooktail does not run, loses events, or endangers the application.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			return a.examine(cmd.Context(), cfg, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "an array of objects with id, severity (ok, note, warning, failure), what, why, mend")
	return cmd
}

func (a *app) examine(ctx context.Context, cfg config.Config, asJSON bool) error {
	log := slog.New(slog.DiscardHandler)
	replication, err := connectionOptions(cfg)
	if err != nil {
		return err
	}
	signing, err := newSigning(cfg, log)
	if err != nil {
		return err
	}
	sender, err := a.sidecar(cfg, log, false).sender(nil)
	if err != nil {
		return err
	}
	defer sender.Close()
	findings := doctor.Examine(ctx, doctor.Options{
		Config: cfg, Plan: planOf(cfg, identityFull), Hooks: hooksOptions(cfg, log),
		Secrets: signing.ring, Keyed: signing.keyed, Sender: sender,
		Open:        func(ctx context.Context) (*pgxpool.Pool, error) { return openPool(ctx, cfg) },
		Replication: replication, NotSenders: notSenders(), Now: time.Now,
		Redirects: func(ctx context.Context) map[int64]string { return redirects(ctx, cfg) },
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := show(a.stdout, findings, asJSON); err != nil {
		return err
	}
	if failures := tally(findings, doctor.Failure); failures > 0 {
		return fmt.Errorf("doctor: failures: %d", failures)
	}
	return nil
}

// redirects are where receivers redirect to, as the hooktail that runs has seen it.
func redirects(ctx context.Context, cfg config.Config) map[int64]string {
	addr, err := askedAddr(cfg.HTTPAddr)
	if err != nil {
		return nil
	}
	report, err := askRunning(ctx, addr)
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

func show(out io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	for _, f := range findings {
		fmt.Fprintf(out, "%-8s %s: %s\n", f.Severity, f.ID, f.What)
		if f.Severity != doctor.OK {
			fmt.Fprintf(out, "         why:  %s\n         mend: %s\n", f.Why, f.Mend)
		}
	}
	fmt.Fprintf(out, "\nfailures: %d, warnings: %d, notes: %d, ok: %d\n", tally(findings, doctor.Failure), tally(findings, doctor.Warning),
		tally(findings, doctor.Note), tally(findings, doctor.OK))
	return nil
}
