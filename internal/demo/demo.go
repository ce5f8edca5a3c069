package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/receiver"
	"github.com/hooktail/hooktail/internal/relay"
)

// Options of a demonstration. All but Once and Receiver are required.
type Options struct {
	Out     display.Screen
	Err     io.Writer // receives the end of hooktail's log if the demo fails
	Environ []string  // in the form of os.Environ
	Version string    // of the program
	Tuning  relay.Tuning
	Log     func(cfg config.Config, out io.Writer) *slog.Logger
	Mask    func(url string) string // returns the printable part of a receiver's URL

	Once     bool   // end after the tour
	Receiver string // URL of the user's own receiver; "" for none
}

// demo is one demonstration.
type demo struct {
	Options

	mu     sync.Mutex // guards Out
	unread func()     // ends the demonstration: the output is closed

	server    *throwaway.Server
	conn      *pgx.Conn // where the application's changes are played
	receivers [2]*endpoint
	sidecar   *sidecar
	left      error       // the server was not removed
	log       *tailBuffer // end of the sidecar's log; nil if the log goes to Err
}

// Run shows the program on a server made for this purpose alone. Nothing is left behind,
// even if a signal ends the demonstration.
func Run(parent context.Context, options Options) error {
	// Neither a second signal nor a closed output, as in `demo | head`, may end the
	// process before the removal is complete.
	ctx, release := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	pipes := make(chan os.Signal, 1) // never read: sockets send SIGPIPE too, and print detects a closed output
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)
	read, unread := context.WithCancel(ctx)
	defer unread()

	d := &demo{Options: options, unread: unread}
	err := d.show(read)
	switch {
	case read.Err() == nil:
		if err != nil && d.log != nil {
			fmt.Fprintf(d.Err, "The end of hooktail's log:\n%s\n", d.log)
		}
		return errors.Join(err, d.left)
	case d.left != nil:
		return d.left
	case ctx.Err() != nil && d.Once:
		return errors.New("interrupted before the end of the tour; everything it created is removed")
	default:
		d.print("\nThe demo has ended; everything it created is removed.\n")
		return nil
	}
}

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
		if d.receivers[i], err = startEndpoint(ctx, fmt.Sprintf("receiver %d", i+1)); err != nil {
			return err
		}
		defer d.receivers[i].close()
	}
	if d.conn, err = d.database(ctx); err != nil {
		return err
	}
	defer func() { _ = d.conn.Close(context.WithoutCancel(ctx)) }() // the server is removed as well
	if d.sidecar, err = d.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.sidecar.stop()) }()

	if err := d.tour(ctx); err != nil || d.Once {
		return err
	}
	return d.goOn(ctx)
}

func (d *demo) goOn(ctx context.Context) error {
	page := "There is no page, since HOOKTAIL_HTTP_ADDR is off."
	if d.sidecar.ops != "off" {
		page = "The page is at http://" + d.sidecar.ops + "/ until Ctrl-C ends the demo."
	}
	d.print("%s To change\nsomething yourself: psql -h %s -U postgres %s\n", page, filepath.Dir(d.server.Socket()), databaseName)
	for _, r := range d.receivers {
		r.watch(func(a *receiver.Arrival) {
			d.print("  %s   %-20s %-32s %s\n", r.name, a.Payload.Action, display.Excerpt(a.Payload.About(), 32), a.Since())
		})
	}
	select {
	case <-ctx.Done():
		return nil
	case <-d.sidecar.ended:
		return errEnded
	}
}

// print ends the demonstration if the output is closed. It is safe for concurrent use.
func (d *demo) print(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := fmt.Fprintf(d.Out, format, args...); errors.Is(err, syscall.EPIPE) {
		d.unread()
	}
}
