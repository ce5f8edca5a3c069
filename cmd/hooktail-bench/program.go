package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// program is a process that is measured.
type program struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{}
	stderr  *tail
}

// launch starts a program. It ends with stop.
func launch(env []string, name string, args ...string) (*program, error) {
	cmd := exec.Command(name, args...) //nolint:noctx // it lives until stop
	cmd.Env = append([]string{"HOME=" + os.Getenv("HOME")}, env...)
	return start(cmd)
}

// start starts a command as a program.
func start(cmd *exec.Cmd) (*program, error) {
	p := &program{cmd: cmd, ended: make(chan struct{}), stderr: &tail{}}
	p.cmd.Stderr = p.stderr
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // who waits for it looks at its state
	}()
	return p, nil
}

// await waits for the channel, while the program lives, as long as it may take.
func (p *program) await(ctx context.Context, reached <-chan struct{}, t fmt.Stringer) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-reached:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended (%s), %s: %s", p.cmd.Path, p.cmd.ProcessState, t, p.stderr)
	case <-timer.C:
		return fmt.Errorf("gave up on %s, %s: %s", p.cmd.Path, t, p.stderr)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patience is reached by what is broken alone.
const patience = 10 * time.Minute

// stop ends the program: as Ctrl-C does, or hard where it does not know better.
func (p *program) stop(how syscall.Signal) {
	_ = p.cmd.Process.Signal(how) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill() // the same
		<-p.ended
	}
}

// usage is what a process has used so far.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // resident bytes at the most
}

func (p *program) usage() (usage, error) { return usageOf(strconv.Itoa(p.cmd.Process.Pid)) }

// usageOf reads the process's from /proc.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func usageOf(pid string) (usage, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return usage{}, fmt.Errorf("read processor time (on %s): %w", runtime.GOOS, err)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return usage{}, fmt.Errorf("read memory (on %s): %w", runtime.GOOS, err)
	}
	const tick = time.Second / 100 // USER_HZ
	_, rest, _ := strings.Cut(string(stat), ") ")
	var u usage
	for _, field := range strings.Fields(rest)[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return usage{}, fmt.Errorf("read processor time: %w", err)
		}
		u.cpu += time.Duration(n) * tick
	}
	_, rest, _ = strings.Cut(string(status), "VmHWM:")
	if fields := strings.Fields(rest); len(fields) > 0 {
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("read memory: %w", err)
		}
		u.peak = kib << 10
	}
	return u, nil
}

// tail keeps the end of what a program writes. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write is the program's.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const kept = 4 << 10
	t.text = append(t.text, p...)
	if len(t.text) > 2*kept {
		t.text = bytes.Clone(t.text[len(t.text)-kept:])
	}
	return len(p), nil
}

// String is the end of it.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
