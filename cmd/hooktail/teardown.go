package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) teardownCommand() *cobra.Command {
	var release, yes bool
	cmd := &cobra.Command{
		Use:   "teardown",
		Short: "Remove slot, publication, replica identity and hooktail's own tables",
		Long: "teardown prints all that it will remove, asks, and removes it in one transaction: slot, publication,\n" +
			"REPLICA IDENTITY FULL, and the schema of hooktail with what is parked and dead in it.\n\n" +
			"Hooks that are adopted are off in Label Studio: nobody would send to them afterwards. teardown refuses\n" +
			"while there are any, or with --release switches them on again in the same transaction.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			conn, err := wiring.Connect(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer conn.Close(context.WithoutCancel(cmd.Context()))
			t := &teardown{app: a, cfg: cfg, conn: conn, plan: wiring.PlanOf(cfg, wiring.IdentityFull), release: release}
			return t.run(cmd.Context(), func() error { return a.confirm(os.Stdin, term.IsTerminal(int(os.Stdin.Fd())), yes) })
		},
	}
	cmd.Flags().BoolVar(&release, "release", false, "give adopted hooks back to Label Studio: they are active there again")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; needed where there is no terminal")
	return cmd
}

// teardown is one run of the command.
type teardown struct {
	*app
	cfg     config.Config
	conn    *pgx.Conn
	plan    cdc.Plan
	release bool

	remains cdc.Remains
	holding state.Holding
	adopted []int64 // of holding, those that the application still has
}

// run checks everything, says what goes, and removes it once confirm has returned nil.
func (t *teardown) run(ctx context.Context, confirm func() error) error {
	if err := t.look(ctx); err != nil {
		return err
	}
	if !t.say() {
		fmt.Fprintln(t.stdout, "-- there is nothing to remove")
		return nil
	}
	if len(t.adopted) > 0 && !t.release {
		return fmt.Errorf("nothing was removed: %s adopted, so that nobody would send to them afterwards: run `hooktail hooks release --all`, "+
			"let hooktail deliver what is left, and try again, or run `hooktail teardown --release`", hookList(t.adopted))
	}
	if err := confirm(); err != nil {
		return err
	}
	log := func(step string) { fmt.Fprintln(t.stdout, step) }
	if err := cdc.Teardown(ctx, t.conn, t.plan, log, t.within); err != nil {
		return err
	}
	fmt.Fprintln(t.stdout, "-- removed")
	return nil
}

// look finds what there is, and whether the role may remove all of it.
func (t *teardown) look(ctx context.Context) (err error) {
	if t.holding, err = state.ReadHolding(ctx, t.conn, t.cfg.StateSchema); err != nil {
		return err
	}
	var besides []cdc.Lack
	if t.holding.Foreign {
		besides = append(besides, cdc.Lack{
			What: fmt.Sprintf("must be owner of schema %q and its tables", t.cfg.StateSchema), Mend: "hooktail teardown as their owner;",
		})
	}
	if len(t.holding.Adopted) > 0 {
		lack, err := t.readAdopted(ctx)
		if err != nil {
			return err
		}
		besides = append(besides, lack...)
	}
	t.remains, err = cdc.CheckTeardown(ctx, t.conn, t.plan, besides...)
	return err
}

// readAdopted looks for the adopted hooks in the application's table, and whether the role
// may switch them on.
func (t *teardown) readAdopted(ctx context.Context) ([]cdc.Lack, error) {
	if err := cdc.CheckTables(ctx, t.conn, []cdc.Table{{Schema: t.cfg.SourceSchema, Name: t.cfg.WebhookTable}}); err != nil {
		return nil, nil //nolint:nilerr // the application is gone, and its hooks with it
	}
	table := pgx.Identifier{t.cfg.SourceSchema, t.cfg.WebhookTable}.Sanitize()
	var may bool
	if err := t.conn.QueryRow(ctx, "SELECT pg_catalog.has_column_privilege($1, 'is_active', 'UPDATE')", table).Scan(&may); err != nil {
		return nil, fmt.Errorf("look up privileges on %s: %w", table, err)
	}
	rows, err := t.conn.Query(ctx, "SELECT id FROM "+table+" WHERE id = ANY ($1) ORDER BY id", t.holding.Adopted)
	if err == nil {
		t.adopted, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err != nil {
		return nil, fmt.Errorf("look adopted hooks up: %w", err)
	}
	if t.release && !may && len(t.adopted) > 0 {
		return []cdc.Lack{{What: "the role may not switch hooks on", Mend: "GRANT UPDATE (is_active) ON " + table + " TO the role;"}}, nil
	}
	return nil, nil
}

// say prints all that goes; false if that is nothing.
func (t *teardown) say() (some bool) {
	line := func(format string, args ...any) {
		if !some {
			fmt.Fprintln(t.stdout, "-- to be removed:")
		}
		some = true
		fmt.Fprintf(t.stdout, "--   "+format+"\n", args...)
	}
	if t.remains.Slot {
		line("slot %s, with %s of WAL that was not read yet", t.cfg.Slot, display.Size(t.remains.Unread))
	}
	if t.remains.Publication {
		line("publication %s", t.cfg.Publication)
	}
	for _, table := range t.remains.Identity {
		line("REPLICA IDENTITY FULL of table %s, which gets DEFAULT", table)
	}
	if t.holding.Schema {
		line("schema %s: %d parked and %d dead deliveries, settings of %d hooks", t.cfg.StateSchema, t.holding.Parked, t.holding.Dead, t.holding.Settings)
	}
	if len(t.adopted) > 0 && t.release {
		fmt.Fprintf(t.stdout, "-- %s switched on again in Label Studio\n", hookList(t.adopted))
	}
	return some
}

// within is the part of the transaction that is not about the stream.
func (t *teardown) within(ctx context.Context, tx pgx.Tx) error {
	c := &control{cfg: t.cfg}
	if len(t.adopted) > 0 {
		if err := c.activate(ctx, tx, t.adopted, true); err != nil {
			return err
		}
	}
	return state.Drop(ctx, tx.Conn(), t.cfg.StateSchema)
}

// confirm asks on a terminal. Elsewhere yes has to have been said.
func (a *app) confirm(in io.Reader, terminal, yes bool) error {
	if yes {
		return nil
	}
	unasked := usageError{errors.New("nothing was removed: without a terminal to ask on, say --yes")}
	if !terminal {
		return unasked
	}
	fmt.Fprint(a.stdout, "Remove all of it? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if errors.Is(err, io.EOF) && answer == "" {
		fmt.Fprintln(a.stdout)
		return unasked // a device that is none, such as /dev/null
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was removed")
}

// hookList is "1 hook (7) is" or "2 hooks (7, 8) are", with at most ten ids.
func hookList(ids []int64) string {
	const most = 10
	names := make([]string, 0, most)
	for _, id := range ids[:min(len(ids), most)] {
		names = append(names, strconv.FormatInt(id, 10))
	}
	list := strings.Join(names, ", ")
	if len(ids) > most {
		list += ", …"
	}
	if len(ids) == 1 {
		return "1 hook (" + list + ") is"
	}
	return fmt.Sprintf("%d hooks (%s) are", len(ids), list)
}
