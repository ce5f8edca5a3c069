//go:build long

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

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
		{"Ctrl-C at once", []string{"demo"}, `throwaway`, []os.Signal{os.Interrupt}, exitDone, "everything it created is removed"},
		{"Ctrl-C in the tour", []string{"demo"}, `PROJECT_CREATED`, []os.Signal{os.Interrupt}, exitDone, "everything it created is removed"},
		{"Ctrl-C twice", []string{"demo"}, ready, []os.Signal{os.Interrupt, os.Interrupt, os.Interrupt}, exitDone, "everything it created is removed"},
		{"SIGTERM", []string{"demo"}, ready, []os.Signal{syscall.SIGTERM}, exitDone, "everything it created is removed"},
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
