//go:build external

package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithOwnClockThatJumps sets the clock of the program itself an hour forward and
// back under load.
func TestWithOwnClockThatJumps(t *testing.T) {
	t.Parallel()
	c := newClock(t)
	program := buildWithClock(t)
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "retried")
	proctest.SetUp(t, s.db)
	run := func() *proctest.Program {
		environ := proctest.RoleEnviron(s.db, "HOOKTAIL_GRACE=1m", clockVariable+"="+c.file)
		p := proctest.StartCommand(t, exec.Command(program, "run"), environ)
		t.Cleanup(func() {
			if text := p.Stderr.String(); t.Failed() {
				t.Logf("the program wrote, at the end:\n%s", text[max(0, len(text)-8<<10):])
			}
		})
		p.Ready(t)
		return p
	}
	stamp := regexp.MustCompile(`(?m)^time=(\S+) `)
	s.jump(t, c, run, func(p *proctest.Program) time.Time {
		all := stamp.FindAllStringSubmatch(p.Stderr.String(), -1)
		at, err := time.Parse(time.RFC3339Nano, all[len(all)-1][1])
		if err != nil {
			t.Fatalf("read the program's clock: %v", err)
		}
		return at
	})
}

// clockVariable names the file of a movedClock to the program of buildWithClock.
const clockVariable = "MOVED_CLOCK"

// buildWithClock builds the program with a time.Now that is moved by clockVariable, as
// that of a machine whose clock is set: what is measured by the monotonic clock is not.
// A Go program asks the kernel without the C library, so that nothing can be
// preloaded into it.
func buildWithClock(t *testing.T) (program string) {
	t.Helper()
	output := func(args ...string) string {
		out, err := exec.Command("go", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	dir, lib := t.TempDir(), filepath.Join(output("env", "GOROOT"), "src", "time")
	source, err := os.ReadFile(filepath.Join(lib, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), now) != 1 {
		t.Fatal("time.Now of this Go is not as expected: look at it, and mend this test")
	}
	replace := make(map[string]string)
	for name, text := range map[string]string{
		"time.go": strings.Replace(string(source), now, now+"\tsec += moved()\n", 1), "moved.go": moved,
	} {
		replace[filepath.Join(lib, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "hooktail")
	output("build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "github.com/hooktail/hooktail/cmd/hooktail")
	return program
}

// moved is a file of package time, which has little to read another with. It does so
// in a goroutine: the runtime, too, asks for the time, where nothing may wait.
const moved = `package time

import (
	"sync/atomic"
	"syscall"
)

var by atomic.Int64

func moved() (seconds int64) { return by.Load() }

func init() {
	go func() {
		for ; ; Sleep(10 * Millisecond) {
			look()
		}
	}()
}

func look() {
	file, _ := syscall.Getenv("` + clockVariable + `")
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer syscall.Close(fd)
	var text [16]byte
	n, _ := syscall.Read(fd, text[:])
	sign, seconds := int64(1), int64(0)
	for _, c := range text[:max(n, 0)] {
		switch {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			seconds = 10*seconds + int64(c-'0')
		}
	}
	by.Store(sign * seconds)
}
`
