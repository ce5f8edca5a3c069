package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/testdata"
)

// bench is one run of the program: a server, the programs, a receiver.
type bench struct {
	o        options
	server   *throwaway.Server
	admin    *pgx.Conn // to the server's database postgres
	dir      string    // of everything that ends with the run
	hooktail string    // path of the binary
	self     string
	receiver *receiver
	results  *results
	progress io.Writer
	stages   int // made so far

	databaseCore string // core on which annotations are saved; "": any
}

// measure runs the scenarios one after the other and prints the table. A scenario
// that fails is reported; the others run nevertheless.
func measure(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "hooktail-bench-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{o: o, dir: dir, hooktail: filepath.Join(dir, "hooktail"), progress: progress}
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find the own program: %w", err)
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	if b.receiver, err = listen("127.0.0.1:0"); err != nil {
		return err
	}
	defer b.receiver.close()
	if b.results, err = newResults(o.json); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.results.file.Close()) }()

	began := time.Now()
	for _, s := range o.scenarios {
		fmt.Fprintf(progress, "%s: %s\n", s.name, s.what)
		if failed := b.scenario(ctx, s); failed != nil {
			if ctx.Err() != nil {
				return failed
			}
			err = errors.Join(err, fmt.Errorf("scenario %s: %w", s.name, failed))
			fmt.Fprintln(progress, "  failed:", failed)
		}
	}
	fmt.Fprintf(progress, "%s in all\n", time.Since(began).Round(time.Second))
	return errors.Join(err, b.results.print(stdout), b.results.insert(o.into))
}

// scenario runs one scenario on a server of its own.
func (b *bench) scenario(ctx context.Context, s scenario) (err error) {
	settings := map[string]string{
		// The figures must show the programs, not the server's housekeeping.
		"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "32GB", "shared_buffers": "256MB",
	}
	maps.Copy(settings, s.settings)
	if b.server, err = throwaway.Start(ctx, throwaway.Options{Settings: settings}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.server.Close()) }()
	if b.admin, err = pgx.Connect(ctx, b.server.DSN("postgres")); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer b.admin.Close(context.WithoutCancel(ctx))
	b.results.server, _, _ = strings.Cut(b.admin.PgConn().ParameterStatus("server_version"), " ")
	if _, err := b.admin.Exec(ctx, "CREATE DATABASE base"); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	conn, err := pgx.Connect(ctx, b.server.DSN("base"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := testdata.Load(ctx, conn); err != nil {
		return err
	}
	if err := conn.Close(ctx); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return s.run(ctx, b)
}

// build builds hooktail as it is released. For profiles it gets another main, which writes
// them when the program ends.
func (b *bench) build(ctx context.Context) error {
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", b.hooktail}
	if b.o.profile != "" {
		if err := os.MkdirAll(b.o.profile, 0o755); err != nil { //nolint:gosec // profiles are for everybody to read
			return fmt.Errorf("make the folder for profiles: %w", err)
		}
		overlay, err := profiling(ctx, b.dir)
		if err != nil {
			return err
		}
		args = []string{"build", "-overlay", overlay, "-o", b.hooktail}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/hooktail/hooktail/cmd/hooktail")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build hooktail: %w: %s", err, out)
	}
	return nil
}

// sources returns the folder of a package of this module.
func sources(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/hooktail/hooktail/"+name).Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of hooktail: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// reps returns the number of repetitions of a scenario.
func (b *bench) reps(usual, quick int) int { return cmp.Or(max(0, b.o.reps), b.size(usual, quick)) }

// size returns the size of a load.
func (b *bench) size(usual, quick int) int {
	if b.o.quick {
		return quick
	}
	return usual
}
