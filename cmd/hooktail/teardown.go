package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/setup"
)

func (a *app) teardownCommand() *cobra.Command {
	var release, yes bool
	cmd := &cobra.Command{
		Use:   "teardown",
		Short: "Remove slot, publication, replica identity and hooktail's tables",
		Long: "teardown lists everything it will remove, asks for confirmation, and removes it in one transaction: slot, publication,\n" +
			"REPLICA IDENTITY FULL, and hooktail's schema with all parked and dead deliveries.\n\n" +
			"Adopted hooks are inactive in Label Studio and would no longer be served afterwards. teardown refuses\n" +
			"while there are any; with --release it activates them again in the same transaction.",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			return a.teardown(cmd.Context(), cfg, release, yes)
		}),
	}
	cmd.Flags().BoolVar(&release, "release", false, "give adopted hooks back to Label Studio, where they become active again")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation; required without a terminal")
	return cmd
}

// teardown checks everything, prints what goes, and removes it after a confirmation.
func (a *app) teardown(ctx context.Context, cfg config.Config, release, yes bool) error {
	t, err := setup.FindRemains(ctx, cfg, release)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	if !a.sayRemains(cfg, t, release) {
		fmt.Fprintln(a.stdout, "-- there is nothing to remove")
		return nil
	}
	if len(t.Adopted) > 0 && !release {
		return fmt.Errorf("nothing was removed: %s adopted and would no longer be served: run `hooktail hooks release --all`, "+
			"let hooktail deliver the rest and try again, or run `hooktail teardown --release`", hookList(t.Adopted))
	}
	if len(t.Holding.Callers) > 0 {
		return fmt.Errorf("nothing was removed: the function %s.emit is called by %s, which would fail without it: change or drop them first",
			cfg.StateSchema, strings.Join(t.Holding.Callers, ", "))
	}
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	if terminal && !yes {
		signal.Reset(os.Interrupt, syscall.SIGTERM) // nothing interrupts the read of a terminal: the signal ends the process
	}
	if err := a.confirm(os.Stdin, terminal, yes); err != nil {
		return err
	}
	if err := t.Remove(ctx, func(step string) { fmt.Fprintln(a.stdout, step) }); err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, "-- removed")
	return nil
}

// sayRemains prints everything that will be removed, and reports whether there is
// anything.
func (a *app) sayRemains(cfg config.Config, t *setup.Teardown, release bool) (some bool) {
	line := func(format string, args ...any) {
		if !some {
			fmt.Fprintln(a.stdout, "-- to be removed:")
		}
		some = true
		fmt.Fprintf(a.stdout, "--   "+format+"\n", args...)
	}
	if t.Remains.Slot {
		line("slot %s, with %s of unread WAL", cfg.Slot, display.Size(t.Remains.Unread))
	}
	if t.Remains.Publication {
		line("publication %s", cfg.Publication)
	}
	for _, table := range t.Remains.Identity {
		line("REPLICA IDENTITY FULL of table %s (reset to DEFAULT)", table)
	}
	if t.Holding.Schema {
		line("schema %s: %d parked and %d dead deliveries, settings of %d hooks", cfg.StateSchema, t.Holding.Parked, t.Holding.Dead, t.Holding.Settings)
	}
	if t.Holding.Emits {
		line("function %s.emit of custom events, and its secret", cfg.StateSchema)
	}
	for _, stream := range t.Log {
		line("stream %s in NATS: %d messages", stream.Name, stream.Messages)
	}
	if len(t.Adopted) > 0 && release {
		fmt.Fprintf(a.stdout, "-- %s activated again in Label Studio\n", hookList(t.Adopted))
	}
	return some
}

// confirm asks on a terminal. Elsewhere --yes is required.
func (a *app) confirm(in io.Reader, terminal, yes bool) error {
	if yes {
		return nil
	}
	unasked := usageError{errors.New("nothing was removed: without a terminal, --yes is required")}
	if !terminal {
		return unasked
	}
	fmt.Fprint(a.stdout, "Remove everything listed? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if errors.Is(err, io.EOF) && answer == "" {
		fmt.Fprintln(a.stdout)
		return unasked // a device that is not a terminal, such as /dev/null
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

// hookList returns "1 hook (7) is" or "2 hooks (7, 8) are", with at most ten ids.
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
