package main

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestStopEndsSoonAfterGrace: a supervisor kills a program that takes much longer to stop than
// HOOKTAIL_GRACE, for example the chart's after 5 s more. So waiting for a store that takes
// nothing has one bound, whatever the store is asked.
func TestStopEndsSoonAfterGrace(t *testing.T) {
	t.Parallel()
	const grace, more = time.Second, 5 * time.Second
	for _, table := range []string{"parked", "done", "hook_setting"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			var requests atomic.Int64
			point(t, db, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			setUpOnce(t, db)
			p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE="+grace.String())
			db.Exec(t, annotate, 7)
			p.Stderr.Find(t, "(Webhook failed)", p.Ended()) // so it has read all tables by now
			conn := db.Connect(t)
			if _, err := conn.Exec(context.Background(), "BEGIN; LOCK TABLE hooktail."+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
			before := requests.Load()
			db.Exec(t, annotate, 8)
			proctest.WaitFor(t, func() error {
				if requests.Load() == before {
					return errors.New("no other request")
				}
				return nil
			})
			begun := time.Now()
			p.Stop()
			code := p.Wait(t)
			if took := time.Since(begun); code != 0 || took > grace+more {
				t.Errorf("exit code %d after %s, want 0 within %s:\n%s", code, took.Round(time.Millisecond), grace+more, p.Stderr)
			}
		})
	}
}

// TestHangUpIsAStop: whoever closes the terminal that a program was started from stops it as
// SIGTERM does. nohup has it go on.
func TestHangUpIsAStop(t *testing.T) {
	t.Parallel()
	// The program inherits an ignored signal, as of tests that run under nohup, but not a handled one.
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	db := cdctest.Postgres(t).LabelStudio(t)
	point(t, db, http.NotFoundHandler())
	setUpOnce(t, db)
	for _, c := range []struct {
		name, shell string
		ends        bool
	}{
		{"terminal", `exec "$0" run`, true},
		{"nohup", `trap "" HUP; exec "$0" run`, false},
	} {
		p := proctest.StartCommand(t, exec.Command("sh", "-c", c.shell, proctest.Binary(t)), proctest.RoleEnviron(db))
		p.Ready(t)
		p.Signal(syscall.SIGHUP)
		if !c.ends {
			db.Exec(t, annotate, 7)
			p.Stderr.Find(t, "(Webhook failed)", p.Ended())
			p.Stop()
		}
		if code := p.Wait(t); code != 0 || !strings.Contains(p.Stderr.String(), `msg="hooktail stopped"`) {
			t.Errorf("%s: exit code %d:\n%s", c.name, code, p.Stderr)
		}
	}
}

// TestLogMayLoseItsReader: a program whose log goes into a pipe delivers without it when
// the pipe's reader has ended.
func TestLogMayLoseItsReader(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	arrived := make(chan struct{}, 100)
	point(t, db, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	setUpOnce(t, db)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `exec "$0" run >&3 2>&3`, proctest.Binary(t))
	cmd.ExtraFiles = []*os.File{writer}
	p := proctest.StartCommand(t, cmd, proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0"))
	_ = writer.Close() // the program has its own
	for log := bufio.NewScanner(reader); log.Scan() && !strings.Contains(log.Text(), `msg="hooktail started"`); {
	}
	_ = reader.Close()
	for range 2 { // at the level debug each is logged, the first before the second arrives
		db.Exec(t, annotate, 7)
		select {
		case <-arrived:
		case <-p.Ended():
			t.Fatalf("the program has ended with exit code %d", p.Wait(t))
		}
	}
	p.Stop()
	if code := p.Wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
