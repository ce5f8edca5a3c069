package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/testdata"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var receiver string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it: a throwaway PostgreSQL, real changes of Label Studio, deliveries to look at",
		Long: "demo starts a throwaway PostgreSQL with Label Studio's tables and ten webhooks, runs the sidecar\n" +
			"beside it and plays changes that a real Label Studio made. It prints each request as it arrives\n" +
			"and goes on until Ctrl-C; then everything that it made is removed.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkReceiver(receiver); err != nil {
				return err
			}
			d := &demo{app: a, out: a.stdout, once: once, extra: receiver}
			return d.run(cmd.Context())
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
	out   io.Writer
	once  bool
	extra string // URL of the user's own receiver

	receiver *demoReceiver
	opsAddr  string
}

// run shows the whole program on a server that exists for this purpose alone.
func (d *demo) run(ctx context.Context) (err error) {
	fmt.Fprintln(d.out, "hooktail demo: Label Studio's webhooks from the database's replication stream")
	fmt.Fprintln(d.out)

	began := time.Now()
	server, err := throwaway.Start(ctx, throwaway.Options{})
	if err != nil {
		return fmt.Errorf("start a throwaway PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()

	d.receiver, err = startDemoReceiver(ctx, d.out)
	if err != nil {
		return err
	}
	defer d.receiver.close()

	conn, err := d.database(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))

	cfg, err := d.configuration(server.DSN(demoDatabase))
	if err != nil {
		return err
	}
	sidecar, stop, err := d.start(ctx, cfg)
	if err != nil {
		return err
	}
	d.introduce(conn, server, time.Since(began))

	if err := d.tour(ctx, conn, sidecar.failed); err != nil {
		return errors.Join(err, stop())
	}
	if !d.once {
		d.invite(server)
		select {
		case <-ctx.Done():
		case <-sidecar.failed:
		}
	}
	if err := stop(); err != nil {
		return err
	}
	return d.summary(sidecar)
}

const demoDatabase = "labelstudio"

// database makes Label Studio's tables and points their hooks at the receiver.
func (d *demo) database(ctx context.Context, server *throwaway.Server) (*pgx.Conn, error) {
	admin, err := connectAsApplication(ctx, server.DSN("postgres"))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+demoDatabase); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	conn, err := connectAsApplication(ctx, server.DSN(demoDatabase))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := d.fill(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// connectAsApplication opens a session that finds the application's tables by their
// names alone, whatever the environment says for other programs.
func connectAsApplication(ctx context.Context, url string) (*pgx.Conn, error) {
	options, err := postgres.Ordinary(url)
	if err != nil {
		return nil, err
	}
	options.RuntimeParams["search_path"] = "public"
	return pgx.ConnectConfig(ctx, options)
}

func (d *demo) fill(ctx context.Context, conn *pgx.Conn) error {
	if err := testdata.Load(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "UPDATE webhook SET url = $1 || id", d.receiver.url()); err != nil {
		return fmt.Errorf("point hooks at the receiver: %w", err)
	}
	if d.extra == "" {
		return nil
	}
	if _, err := conn.Exec(ctx, `INSERT INTO webhook (url, send_payload, send_for_all_actions, headers, is_active,
		created_at, updated_at, organization_id) VALUES ($1, true, true, '{}', true, now(), now(), 1)`, d.extra); err != nil {
		return fmt.Errorf("add hook: %w", err)
	}
	return nil
}

// configuration is the user's environment, but for the database and the rules
// that make the seven actions.
func (d *demo) configuration(dsn string) (config.Config, error) {
	environ := []string{"HOOKTAIL_LOG_LEVEL=warn"}
	for _, e := range d.app.environ {
		if !strings.HasPrefix(e, "HOOKTAIL_DATABASE_URL") && !strings.HasPrefix(e, "HOOKTAIL_PROFILE") {
			environ = append(environ, e)
		}
	}
	cfg, err := config.Load(append(environ, "HOOKTAIL_DATABASE_URL="+dsn))
	if err != nil {
		return cfg, usageError{fmt.Errorf("configuration:\n%w", err)}
	}
	return cfg, nil
}

// running is the sidecar of the demo.
type running struct {
	*sidecar
	failed chan struct{} // closed when it has ended
}

// start sets the database up and runs the sidecar until stop is called, which
// returns how it ended.
func (d *demo) start(ctx context.Context, cfg config.Config) (*running, func() error, error) {
	log := d.app.logger(cfg)
	cfg.HTTPAddr = freeAddr(ctx, cfg.HTTPAddr)
	r := &running{sidecar: d.app.sidecar(cfg, log, true), failed: make(chan struct{})}
	started := make(chan string, 1)
	r.started = func(addr string) { started <- addr }
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var result error
	go func() {
		defer close(r.failed)
		result = r.run(runCtx)
	}()
	stop := func() error {
		cancel()
		<-r.failed
		return result
	}
	select {
	case d.opsAddr = <-started:
		return r, stop, nil
	case <-r.failed:
		cancel()
		return nil, nil, result
	}
}

// freeAddr is the address, or a free port beside it where it is taken: a
// hooktail may be running on this machine.
func freeAddr(ctx context.Context, addr string) string {
	if addr == "" {
		return addr
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // only tried
	return addr
}

func (d *demo) introduce(conn *pgx.Conn, server *throwaway.Server, took time.Duration) {
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	version, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	fmt.Fprintf(w, "  PostgreSQL\t%s, throwaway, on %s\n", version, server.Socket())
	fmt.Fprintf(w, "  Label Studio\tschema and base data of 1.23.2: 4 projects, 24 tasks, 10 webhooks\n")
	fmt.Fprintf(w, "  set up\tpublication and slot hooktail\n")
	fmt.Fprintf(w, "  receiver\t%s<id of the hook>\n", d.receiver.url())
	if d.extra != "" {
		fmt.Fprintf(w, "  and\t%s\n", redactedURL(d.extra))
	}
	if d.opsAddr != "" {
		fmt.Fprintf(w, "  page\thttp://%s/\n", d.opsAddr)
	}
	fmt.Fprintf(w, "  ready\tafter %s\n", took.Round(10*time.Millisecond))
	_ = w.Flush() // the writer below is the terminal
}

func (d *demo) invite(server *throwaway.Server) {
	fmt.Fprintf(d.out, "\nThe sidecar goes on. Change something yourself, for example:\n\n"+
		"  psql %q -c \"UPDATE task_completion SET was_cancelled = true, updated_at = now() WHERE id = 14\"\n\n"+
		"Ctrl-C ends the demo and removes everything that it made.\n\n", server.DSN(demoDatabase))
}
