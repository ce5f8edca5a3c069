//go:build external && linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/testdata"
)

// TestWithPsqlFirstRun types README's five steps as they stand on a fresh PostgreSQL
// whose tables belong to Label Studio's own role, and reads the output. The steps that
// the README leaves to either role are typed by a superuser and by that owner.
func TestWithPsqlFirstRun(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"postgres", "labelstudio"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			server := cdctest.Private(t, throwaway.Options{Unset: []string{"wal_level"}})
			user := newcomer(t, server)

			first := user.types(t, 1)
			user.finishes(t, first)
			says(t, first, `(?s)ALTER SYSTEM\n.*ALTER SYSTEM\n.*CREATE ROLE\n.*PostgreSQL is to restart`)
			server.Restart(t, throwaway.Fast)
			if got := user.ask(t, "SELECT current_setting('wal_level') || ' ' || current_setting('max_slot_wal_keep_size')"); got != "logical 10GB" {
				t.Errorf("after step 1 the server has %q", got)
			}
			if role == "labelstudio" {
				user.ask(t, "ALTER ROLE labelstudio REPLICATION")
			}
			user.exports += "export PGUSER=" + role + "\n"
			second := user.types(t, 2)
			user.finishes(t, second)
			says(t, second, `(?s)CREATE PUBLICATION .*slot hooktail is at .*\nCOMMIT\n`)

			hooktail := user.types(t, 3)
			says(t, hooktail, `failures: 0, warnings: 0, `)
			says(t, hooktail, `msg="hooktail started"`)
			hooktail.Ops = user.ops
			proctest.WaitFor(t, func() error {
				if status, body := hooktail.Get(t, "/readyz"); status != http.StatusOK {
					return fmt.Errorf("not ready: %s", body)
				}
				return nil
			})

			terminal := user.types(t, 4)
			says(t, terminal, `INSERT 0 1\n`)
			says(t, terminal, `(?m)^ *1 +live +all +all .* http://`+user.receiver+`/`)
			statements, err := testdata.Changes("18-annotation-create")
			if err == nil {
				err = testdata.Play(t.Context(), connectTo(t, user.dsn), statements)
			}
			if err != nil {
				t.Fatal(err)
			}
			says(t, terminal, `ANNOTATION_CREATED +annotation \d+, task \d+`)

			last := user.types(t, 5)
			user.finishes(t, last)
			says(t, last, `(?s)hook 1 adopted.*leader, ready.*\n *1 +live .* http://`+user.receiver+`/`)
			if got := user.ask(t, "SELECT is_active::text FROM webhook"); got != "false" {
				t.Errorf("after step 5 the hook's is_active is %s", got)
			}
		})
	}
}

// person types what the README says.
type person struct {
	steps         map[int]string
	exports       string // that earlier steps of the terminal have typed
	environ       []string
	ops, receiver string // addresses
	dsn           string // of the database, as a superuser
}

// newcomer has a server that nobody has prepared, with Label Studio's tables in the
// database labelstudio and no hook, and this machine's psql.
func newcomer(t *testing.T, server *cdctest.Server) *person {
	t.Helper()
	user := &person{steps: steps(t), ops: freeAddress(t), receiver: freeAddress(t), dsn: server.DSN("postgres")}
	user.ask(t, "CREATE ROLE labelstudio LOGIN")
	user.ask(t, "CREATE DATABASE labelstudio OWNER labelstudio")
	user.dsn = server.DSN("labelstudio")
	if err := testdata.Load(t.Context(), connectTo(t, strings.Replace(user.dsn, "postgres@", "labelstudio@", 1))); err != nil {
		t.Fatalf("load Label Studio's tables: %v", err)
	}
	user.ask(t, "TRUNCATE webhook RESTART IDENTITY CASCADE")
	_, port, err := net.SplitHostPort(cdctest.NewProxy(t, "unix", server.Socket()).Addr())
	if err != nil {
		t.Fatal(err)
	}
	user.environ = append(os.Environ(), "PATH="+programs(t)+":"+os.Getenv("PATH"), "PGPORT="+port, "HOOKTAIL_HTTP_ADDR="+user.ops)
	return user
}

// steps are the commands of the README's five steps.
func steps(t *testing.T) map[int]string {
	t.Helper()
	found := map[int]string{}
	blocks := regexp.MustCompile("(?ms)^<!-- step (\\d) -->\n```sh\n(.*?)^```$").FindAllStringSubmatch(readText(t, filepath.Join(repository, "README.md")), -1)
	for i, block := range blocks {
		if block[1] != fmt.Sprint(i+1) {
			t.Fatalf("README.md has step %s after step %d", block[1], i)
		}
		found[i+1] = block[2]
	}
	if len(found) != 5 {
		t.Fatalf("README.md has %d steps, want 5", len(found))
	}
	return found
}

// programs is a folder with hooktail and with what stands in for the machine's service
// manager, which the test itself is.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{
		"sudo":      `exec "$@"`,
		"systemctl": `[ "$*" = "restart postgresql" ] && echo "PostgreSQL is to restart"`,
		"hooktail":  fmt.Sprintf(`exec '%s' "$@"`, proctest.Binary(t)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// types types a step in a terminal with what was exported there before, and returns it
// while it goes on. It has the addresses that are the test's, and no terminal: psql
// reads the role's new password from standard input.
func (p *person) types(t *testing.T, step int) *proctest.Program {
	t.Helper()
	commands := strings.ReplaceAll(p.steps[step], "127.0.0.1:9000", p.receiver)
	script := "exec 2>&1\n" + p.exports + commands
	for line := range strings.Lines(commands) {
		if strings.HasPrefix(line, "export ") {
			p.exports += line
		}
	}
	cmd := exec.Command("bash", "-e", "-c", script)
	cmd.Dir, cmd.Stdin = repository, strings.NewReader("PASSWORD\nPASSWORD\n")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	typed := proctest.StartCommand(t, cmd, p.environ)
	t.Cleanup(func() { _ = syscall.Kill(-typed.PID(), syscall.SIGTERM) }) // what it has left running, too
	return typed
}

// finishes waits for the end of a step.
func (p *person) finishes(t *testing.T, typed *proctest.Program) {
	t.Helper()
	if code := typed.Wait(t); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, typed.Stdout)
	}
}

// says waits until a step's output has the pattern.
func says(t *testing.T, typed *proctest.Program, pattern string) {
	t.Helper()
	typed.Stdout.Find(t, "("+pattern+")", typed.Ended())
}

// ask runs a statement as a superuser, and returns its only value.
func (p *person) ask(t *testing.T, sql string) string {
	t.Helper()
	conn := connectTo(t, p.dsn)
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(values, " ")
}

func connectTo(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// freeAddress is a loopback address at which nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
