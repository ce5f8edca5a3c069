package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTeardownIsInterrupted: a signal ends teardown while it asks on a terminal, and nothing
// is removed.
func TestTeardownIsInterrupted(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	before := traces(t, db)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(proctest.Binary(t), "teardown")
		cmd.Stdin = terminal(t)
		p := proctest.StartCommand(t, cmd, proctest.Environ(db))
		p.Stdout.Find(t, `Remove everything listed`, p.Ended())
		p.Signal(s)
		if code := p.Wait(t); code != -1 {
			t.Errorf("%s: exit code %d, want the end by a signal: %s%s", s, code, p.Stdout, p.Stderr)
		}
		if diff := cmp.Diff(before, traces(t, db)); diff != "" {
			t.Errorf("%s: something was changed (-before +after):\n%s", s, diff)
		}
	}
}

// terminal returns a terminal on which nobody types.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() }) // nothing was written
	var number, unlock uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() }) // nothing was written
	return slave
}
