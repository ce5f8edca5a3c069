package cdctest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"go.uber.org/goleak"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/testdata"
)

// shared is the test binary's server. Parallel tests share nothing else; this package
// state saves each of them a server start.
var shared struct {
	once     sync.Once
	server   *Server
	err      error
	template func() (string, error) // makeTemplate, once
}

// Main runs the tests and then stops the shared server. Use it in TestMain:
// os.Exit(cdctest.Main(m)).
//
// At least four tests run at a time, unless -parallel is set: they mostly wait for
// servers and timers, and would leave two processors idle.
func Main(m *testing.M) int {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == parallel })
	if !said {
		if err := flag.Set(parallel, strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// MainWithoutLeaks is Main for a package all of whose goroutines must end: a leaked one
// fails the run.
func MainWithoutLeaks(m *testing.M) int {
	code := Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// parallel is the flag of `go test` for the number of parallel tests.
const parallel = "test.parallel"

// Server is a running PostgreSQL.
type Server struct {
	*throwaway.Server
	databases atomic.Int64
}

// Postgres returns the shared server of the test binary.
func Postgres(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() {
		s, err := throwaway.Start(context.Background(), throwaway.Options{Quick: true})
		if shared.err = err; err == nil {
			shared.server = &Server{Server: s}
			shared.template = sync.OnceValues(shared.server.makeTemplate)
		}
	})
	if shared.err != nil {
		t.Fatalf("start PostgreSQL: %v", shared.err)
	}
	return shared.server
}

// Since returns the shared server if it is of this major version or a newer one, else a
// server of this version for the test alone.
func Since(t testing.TB, major int) *Server {
	t.Helper()
	if s := Postgres(t); s.Major(t) >= major {
		return s
	}
	return Private(t, throwaway.Options{Major: strconv.Itoa(major)})
}

// Private starts a server for one test, which may stop, kill and restart it. It is
// removed after the test; its log is shown if the test failed.
func Private(t testing.TB, o throwaway.Options) *Server {
	t.Helper()
	o.Quick = true
	s, err := throwaway.Start(context.Background(), o)
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return own(t, s)
}

// Standby starts a hot standby of the server (see throwaway) for one test. The primary
// sends changes to this standby before it sends them to failover slots.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	const slot = "standby"
	standby, err := s.Server.Standby(context.Background(), slot)
	if err != nil {
		t.Fatalf("start a standby: %v", err)
	}
	if err := s.admin("ALTER SYSTEM SET synchronized_standby_slots = '"+slot+"'", "SELECT pg_reload_conf()"); err != nil {
		t.Fatalf("let logical slots wait for the standby: %v", err)
	}
	return own(t, standby)
}

// own ends the server with the test.
func own(t testing.TB, s *throwaway.Server) *Server {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PostgreSQL's log:\n%s", s.Log())
		}
		if err := s.Close(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return &Server{Server: s}
}

// Restart stops the server in the given mode and starts it again.
func (s *Server) Restart(t testing.TB, mode throwaway.Mode) {
	t.Helper()
	if err := s.Stop(mode); err != nil {
		t.Fatalf("stop PostgreSQL: %v", err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
}

// template is the database that LabelStudio copies.
const template = "labelstudio_template"

// Database creates an empty database for one test.
func (s *Server) Database(t testing.TB) *Database {
	t.Helper()
	return s.database(t, "template1")
}

// LabelStudio creates a database for one test with Label Studio's tables and the base
// data of the recorded scenarios.
func (s *Server) LabelStudio(t testing.TB) *Database {
	t.Helper()
	if s != shared.server {
		db := s.database(t, "template1")
		if err := db.do(testdata.Load); err != nil {
			t.Fatalf("load Label Studio's tables: %v", err)
		}
		return db
	}
	source, err := shared.template()
	if err != nil {
		t.Fatalf("load Label Studio's tables: %v", err)
	}
	return s.database(t, source)
}

// makeTemplate fills the template and returns the argument of CREATE DATABASE … TEMPLATE
// that copies it: by its files if the server can. The alternative writes 4.5 MB of WAL,
// which the slots of all running tests would have to read.
func (s *Server) makeTemplate() (source string, err error) {
	if err := s.admin("CREATE DATABASE " + template); err != nil {
		return "", err
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.DSN(template))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if err := testdata.Load(ctx, conn); err != nil {
		return "", err
	}
	var named bool
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int >= 150000").Scan(&named); err != nil {
		return "", err
	}
	if named {
		return template + " STRATEGY FILE_COPY", nil
	}
	return template, nil
}

func (s *Server) database(t testing.TB, from string) *Database {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.admin(fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from)); err != nil {
		t.Fatalf("create database: %v", err)
	}
	db := &Database{Name: name, DSN: s.DSN(name), server: s}
	t.Cleanup(func() { db.drop(t) })
	return db
}

// Major returns the server's major version.
func (s *Server) Major(t testing.TB) int {
	t.Helper()
	db := &Database{DSN: s.DSN("postgres")}
	major, _, _ := strings.Cut(db.Connect(t).PgConn().ParameterStatus("server_version"), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		t.Fatalf("major version of PostgreSQL: %v", err)
	}
	return n
}

// admin runs statements outside the tests' databases.
func (s *Server) admin(statements ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}
