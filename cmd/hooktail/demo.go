package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/internal/display"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var receiver string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show hooktail at work on a throwaway PostgreSQL",
		Long: "demo starts a throwaway PostgreSQL with Label Studio's tables and two webhooks, runs hooktail on it and plays\n" +
			"changes that a real Label Studio made: the seven actions as they arrive, then a receiver that is down for a\n" +
			"while and gets what it missed. It goes on until Ctrl-C, and then removes everything that it made.\n\n" +
			"HOOKTAIL_HTTP_ADDR, HOOKTAIL_LOG_LEVEL and HOOKTAIL_SETTLE apply to the demo too; no variable is needed.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkReceiver(receiver); err != nil {
				return err
			}
			return (&demo{app: a, out: a.screen(), once: once, extra: receiver}).run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the tour")
	cmd.Flags().StringVar(&receiver, "receiver", "", "send every event to this `URL` as well")
	return cmd
}

func checkReceiver(receiver string) error {
	if receiver == "" {
		return nil
	}
	u, err := url.Parse(receiver)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError{errors.New("--receiver needs a URL such as http://127.0.0.1:9000/hook")}
	}
	return nil
}

// demo is one demonstration.
type demo struct {
	app   *app
	once  bool
	extra string // URL of the user's own receiver; "" for none

	mu  sync.Mutex // guards out
	out display.Screen

	server    *throwaway.Server
	conn      *pgx.Conn // where the application's changes are played
	receivers [2]*demoReceiver
	sidecar   *demoSidecar
	left      error       // what could not be removed
	log       *tailBuffer // what the sidecar logged; nil where it goes to stderr
}

// run shows the program on a server that exists for this purpose alone. However it
// ends, by a signal too, nothing is left behind.
func (d *demo) run(parent context.Context) error {
	// A second signal is not to end the process before everything is removed, nor is a
	// reader who goes away, as in `demo | head`.
	ctx, release := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	piped, deaf := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer deaf()

	err := d.show(piped)
	switch {
	case piped.Err() == nil:
		if err != nil && d.log != nil {
			fmt.Fprintf(d.app.stderr, "The end of hooktail's log:\n%s\n", d.log)
		}
		return errors.Join(err, d.left)
	case d.left != nil:
		return d.left
	case ctx.Err() != nil && d.once:
		return errors.New("interrupted before the end of the tour; everything that it made is removed")
	default:
		d.print("\nThe demo has ended, and everything that it made is removed.\n")
		return nil
	}
}

// show makes everything, and removes it in the end.
func (d *demo) show(ctx context.Context) (err error) {
	d.print("hooktail demo: a throwaway PostgreSQL, Label Studio's tables, two webhooks.\n\n")
	fetching := func(version string) {
		d.print("PostgreSQL is not installed here: fetching version %s, once.\n\n", version)
	}
	if d.server, err = throwaway.Start(ctx, throwaway.Options{Fetching: fetching}); err != nil {
		return fmt.Errorf("start a throwaway PostgreSQL: %w", err)
	}
	defer func() { d.left = d.server.Close() }()
	for i := range d.receivers {
		if d.receivers[i], err = startDemoReceiver(ctx, fmt.Sprintf("receiver %d", i+1)); err != nil {
			return err
		}
		defer d.receivers[i].die()
	}
	if d.conn, err = d.database(ctx); err != nil {
		return err
	}
	defer func() { _ = d.conn.Close(context.WithoutCancel(ctx)) }() // its server goes as well
	if d.sidecar, err = d.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.sidecar.stop()) }()

	if err := d.tour(ctx); err != nil || d.once {
		return err
	}
	return d.goOn(ctx)
}

// goOn shows what else arrives until the demo is ended.
func (d *demo) goOn(ctx context.Context) error {
	page := "There is no page, since HOOKTAIL_HTTP_ADDR is off."
	if d.sidecar.ops != "off" {
		page = "The page is at http://" + d.sidecar.ops + "/ until Ctrl-C ends the demo."
	}
	d.print("%s To change\nsomething yourself: psql -h %s -U postgres %s\n", page, filepath.Dir(d.server.Socket()), demoDatabase)
	for _, r := range d.receivers {
		r.tell(func(a *arrival) {
			d.print("  %s   %-20s %-32s %s\n", r.name, a.parsed.Action, display.Excerpt(a.parsed.about(), 32), a.since())
		})
	}
	select {
	case <-ctx.Done():
		return nil
	case <-d.sidecar.ended:
		return errEnded
	}
}

// print is for all goroutines.
func (d *demo) print(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format, args...)
}
