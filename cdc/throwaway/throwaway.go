package throwaway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options selects and configures a server.
type Options struct {
	Major    string            // major version to download; "": see Binaries
	Settings map[string]string // added to the defaults below, as in postgresql.conf
	Unset    []string          // defaults below to leave out, so that ALTER SYSTEM can set them
	Durable  bool              // fsync on: for tests that crash the server
	Env      []string          // variables of the server's process, added to the current ones

	// Quick starts sooner, for tests: the cluster is a copy of one that initdb made earlier,
	// so they share the system identifier. It is in memory if there is room.
	Quick bool

	Fetching func(version string) // called before a PostgreSQL is downloaded; may be nil
}

// defaults suit logical replication and tests: fast, and small in memory.
var defaults = map[string]string{
	"wal_level":             "logical",
	"max_wal_senders":       "64",
	"max_replication_slots": "64",
	"max_connections":       "200",
	"shared_buffers":        "64MB",
	"listen_addresses":      "",
	"timezone":              "UTC",
	"log_min_messages":      "warning",
}

// Server is a PostgreSQL server that belongs to its creator, who must Close it. Only DSN
// is safe for concurrent use.
type Server struct {
	bin, dir string
	owner    *owner
	args     []string
	env      []string // added to the current variables
	cmd      *exec.Cmd
	exited   chan struct{} // closed when cmd has ended
	crashed  bool          // it was killed and not started since
}

// Start creates a cluster in a temporary directory and starts it. The superuser is
// postgres, without a password; the server listens on a Unix socket only. As root it runs
// as another user, because PostgreSQL refuses to run as root.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := Binaries(ctx, o.Major, o.Fetching)
	if err != nil {
		return nil, err
	}
	who, err := findOwner()
	if err != nil {
		return nil, err
	}
	// The path of a socket is limited to about a hundred bytes, so TMPDIR is not used.
	dir, err := os.MkdirTemp(cmp.Or(os.Getenv(DirectoryVariable), memory(o), "/tmp"), "hooktail-pg-")
	if err != nil {
		return nil, fmt.Errorf("make directory for PostgreSQL: %w", err)
	}
	s := &Server{bin: bin, dir: dir, owner: who, args: arguments(dir, o), env: o.Env}
	if o.Quick {
		return s.started(ctx, s.copy(ctx))
	}
	return s.started(ctx, s.initdb(ctx, dir))
}

// started starts the server if its cluster was made without an error, and otherwise
// removes its files.
func (s *Server) started(ctx context.Context, err error) (*Server, error) {
	if err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func arguments(dir string, o Options) []string {
	settings := map[string]string{"unix_socket_directories": dir}
	if !o.Durable {
		// Commits still wait until the WAL is written: the walsender sends it.
		settings["fsync"], settings["full_page_writes"] = "off", "off"
	}
	args := []string{"-D", filepath.Join(dir, "data")}
	for _, group := range []map[string]string{defaults, settings, o.Settings} {
		for name, value := range group {
			if slices.Contains(o.Unset, name) {
				continue
			}
			args = append(args, "-c", name+"="+value)
		}
	}
	return args
}

// Start starts the server of an existing cluster, after Stop, and waits until it answers.
// After a crash the children of the old postmaster may hold its shared memory for a
// moment longer, and a new one does not start until they are gone.
func (s *Server) Start(ctx context.Context) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := s.launch(ctx)
		if err == nil || !s.crashed || !errors.Is(err, errEnded) || time.Now().After(deadline) {
			s.crashed = s.crashed && err != nil
			return err
		}
	}
}

// errEnded is returned by await if the server does not start.
var errEnded = errors.New("postgres ended at start")

func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	defer func() { _ = log.Close() }()                                // the child has its own descriptor
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), s.args...) //nolint:noctx // it lives until Stop
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = s.owner.attributes()
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // the log shows how it ended
		close(exited)
	}(s.cmd, s.exited)
	return s.await(ctx)
}

// await returns when the server accepts connections.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%w: %s", errEnded, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w (last: %w)", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// DSN returns the superuser's connection URL of a database.
func (s *Server) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.dir}}.Encode()
	return u.String()
}

// Socket returns the path of the server's Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Log returns the end of the server's log.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-16<<10):])
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// Mode is a way to stop a server.
type Mode = syscall.Signal

// The shutdown modes of PostgreSQL.
// https://www.postgresql.org/docs/current/server-shutdown.html
const (
	Fast      Mode = syscall.SIGINT  // ends sessions, writes a checkpoint
	Immediate Mode = syscall.SIGQUIT // like a crash of the server
	Crash     Mode = syscall.SIGKILL // kill -9 of the postmaster
)

// Stop ends the server in the given mode and waits for its end.
func (s *Server) Stop(mode Mode) error {
	if s.cmd == nil {
		return nil
	}
	select {
	case <-s.exited:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(mode); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal postgres: %w", err)
	}
	<-s.exited
	s.crashed = mode == Crash
	return nil
}

// Close stops the server immediately and removes all its files.
func (s *Server) Close() error {
	return errors.Join(s.Stop(Immediate), removeAll(s.dir))
}

// removeAll retries for a moment: children of a killed postmaster may still write.
func removeAll(dir string) error {
	var err error
	for range 50 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return fmt.Errorf("remove the server's directory: %w", err)
}
