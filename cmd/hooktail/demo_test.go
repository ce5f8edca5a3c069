package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/mapping"
)

// TestDemo: the tour fits a terminal, and shows the seven actions, the outage of one
// receiver, and its return. It says nothing else, and sends everything to the user's own
// receiver too.
func TestDemo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	actions := map[string]int{}
	own := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		_, rest, _ := strings.Cut(string(body), `{"action": "`)
		action, _, _ := strings.Cut(rest, `"`)
		mu.Lock()
		defer mu.Unlock()
		actions[action]++
	}))
	defer own.Close()
	out, err := proctest.NewOutput(), proctest.NewOutput()
	a := &app{stdout: out, stderr: err, environ: []string{
		"HOOKTAIL_HTTP_ADDR=127.0.0.1:0", "HOOKTAIL_EGRESS=public", "HOOKTAIL_TASK_TABLE=elsewhere", // the user's, for another database
	}, Tuning: relay.Tuning{Guest: true}}
	if code := a.execute(context.Background(), []string{"demo", "--once", "--receiver", own.URL + "/mine?secret=word"}); code != exitDone {
		t.Fatalf("exit code = %d:\n%s%s", code, out, err)
	}
	shown := out.String()
	fits(t, shown)
	if err.String() != "" {
		t.Errorf("on standard error: %s", err)
	}
	tour, outage, _ := strings.Cut(shown, "Receiver 2 dies")
	for _, action := range mapping.Guide.Actions() {
		if actions[string(action)] == 0 {
			t.Errorf("%s did not come to the user's own receiver", action)
		}
		if !regexp.MustCompile(`(?m)^  ` + string(action) + ` +\w+ [\d, a-z]+[\d.]+ m?s +[\d.]+ m?s$`).MatchString(tour) {
			t.Errorf("the tour does not show %s", action)
		}
	}
	for _, want := range []string{
		`receiver 1   4 of 4 delivered`, `receiver 2   refuses connections: 4 of 4 parked`, `Receiver 2 is back after`,
		`(?s)ANNOTATION_CREATED   annotation 16.*s\n.*ANNOTATION_UPDATED   annotation 14.*s\n.*ANNOTATION_UPDATED   annotation 14.*ANNOTATIONS_DELETED  annotation 16`,
		`/\*\*\*: 11 of 11 delivered\n`, `\n7 of 7 actions delivered; of the 4 missed events none was lost or out of order\.\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(outage) {
			t.Errorf("no %q in\n%s", want, outage)
		}
	}
	if strings.Contains(shown, "secret") || strings.Contains(shown, "mine") {
		t.Error("the output shows path or query of the receiver's URL")
	}
}

// fits holds a text against a terminal of 80 columns and 25 lines.
func fits(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 25 {
		t.Errorf("%d lines do not fit a terminal:\n%s", len(lines), text)
	}
	fitsWidth(t, text)
}

func fitsWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
}

// TestDemoRefusesABadReceiver before it starts anything.
func TestDemoRefusesABadReceiver(t *testing.T) {
	code, _, stderr := command(nil, "demo", "--receiver", "nonsense")
	if code != exitUsage || !strings.Contains(stderr, "--receiver") {
		t.Errorf("exit code = %d, message %q", code, stderr)
	}
}

// TestDemoLeavesNothing: whenever and however it is ended, no process and no directory
// of it is left.
func TestDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	const ready = `Ctrl-C ends the demo`
	for _, c := range []struct {
		name    string
		args    []string
		when    string // what is shown then
		signals []os.Signal
		code    int
		shown   string // at the end
	}{
		{"Ctrl-C at once", []string{"demo"}, `throwaway`, []os.Signal{os.Interrupt}, exitDone, "everything that it made is removed"},
		{"Ctrl-C in the tour", []string{"demo"}, `PROJECT_CREATED`, []os.Signal{os.Interrupt}, exitDone, "everything that it made is removed"},
		{"Ctrl-C twice", []string{"demo"}, ready, []os.Signal{os.Interrupt, os.Interrupt, os.Interrupt}, exitDone, "everything that it made is removed"},
		{"SIGTERM", []string{"demo"}, ready, []os.Signal{syscall.SIGTERM}, exitDone, "everything that it made is removed"},
		{"SIGTERM in the tour of a script", []string{"demo", "--once"}, `PROJECT_CREATED`, []os.Signal{syscall.SIGTERM}, exitFailed, "interrupted"},
		{"the terminal is closed", []string{"demo"}, ready, []os.Signal{syscall.SIGHUP}, exitDone, ""},
		{"the tour is over", []string{"demo", "--once"}, ``, nil, exitDone, "7 of 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			directory := demoDirectory(t)
			cmd := exec.Command(proctest.Binary(t), c.args...)
			p := proctest.StartCommand(t, cmd, demoEnviron(directory))
			if len(c.signals) > 0 {
				p.Stdout.Find(t, c.when, nil)
			}
			for _, s := range c.signals {
				_ = cmd.Process.Signal(s) // the first may have ended it
			}
			if code := p.Wait(t); code != c.code || !strings.Contains(p.Stdout.String()+p.Stderr.String(), c.shown) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, c.code, c.shown, p.Stdout, p.Stderr)
			}
			if whole := p.Stdout.String(); c.when == ready {
				before, _, _ := strings.Cut(whole, "\nThe demo has ended")
				fits(t, strings.ReplaceAll(before, directory, "/tmp"))
			}
			nothingLeft(t, directory)
		})
	}
}

// TestDemoEndsWithItsReader: `demo | head` leaves nothing either, and says nothing.
func TestDemoEndsWithItsReader(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"demo"}, {"demo", "--once"}} {
		directory := demoDirectory(t)
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(proctest.Binary(t), args...)
		var stderr strings.Builder
		cmd.Env, cmd.Stdout, cmd.Stderr = append(demoEnviron(directory), "HOME="+os.Getenv("HOME")), writer, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Close() // the child has its own
		if _, err := io.ReadFull(reader, make([]byte, 100)); err != nil {
			t.Errorf("read: %v", err)
		}
		_ = reader.Close()
		if err := cmd.Wait(); err != nil || stderr.String() != "" {
			t.Errorf("%v: %v, %s", args, err, stderr.String())
		}
		nothingLeft(t, directory)
	}
}

func demoEnviron(directory string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOOKTAIL_HTTP_ADDR=127.0.0.1:0", throwaway.DirectoryVariable + "=" + directory, throwaway.Variable + "=" + os.Getenv(throwaway.Variable)}
}

// demoDirectory is where a demo makes its server: a short path that the server's user
// may enter.
func demoDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("/tmp", "hooktail-demo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) }) // empty, or the test has failed
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	return directory
}

// nothingLeft holds that the directory is empty and that no process works in it.
func nothingLeft(t *testing.T, directory string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left", e.Name())
	}
	proctest.WaitFor(t, func() error { // children of a killed postmaster end by themselves
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return err
		}
		for _, line := range lines {
			if text, err := os.ReadFile(line); err == nil && strings.Contains(string(text), directory) {
				return fmt.Errorf("a process is left: %q", text)
			}
		}
		return nil
	})
}
