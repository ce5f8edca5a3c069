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

	"github.com/jackc/pgx/v5"
)

// program is a measured process.
type program struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{}
	stderr  *tail
	slot    string // that it reads
}

// start starts a command as a program. It ends with stop.
func start(cmd *exec.Cmd) (*program, error) {
	p := &program{cmd: cmd, ended: make(chan struct{}), stderr: &tail{}, started: time.Now()}
	cmd.Stderr = p.stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // the waiting caller examines its state
	}()
	return p, nil
}

// await waits for the channel, until the program ends or patience is over.
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

// until repeats the query, which counts, at that interval until it yields n. It returns the
// time.
func (p *program) until(ctx context.Context, conn *pgx.Conn, every time.Duration, n int, query string, args ...any) (at time.Time, err error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	gaveUp := time.After(patience)
	for count := 0; count < n; at = time.Now() {
		select {
		case <-tick.C:
		case <-p.ended:
			return at, fmt.Errorf("%s ended (%s): %s", p.cmd.Path, p.cmd.ProcessState, p.stderr)
		case <-gaveUp:
			return at, fmt.Errorf("gave up: %d of %d by %.60q", count, n, query)
		case <-ctx.Done():
			return at, ctx.Err()
		}
		if err := conn.QueryRow(ctx, query, args...).Scan(&count); err != nil {
			return at, fmt.Errorf("count by %.60q: %w", query, err)
		}
	}
	return at, nil
}

// patience is only reached if something is broken.
const patience = 10 * time.Minute

// end ends the program as Ctrl-C does.
func (p *program) end() { p.stop(syscall.SIGINT) }

// stop ends the program with the signal, and kills it if it does not react.
func (p *program) stop(how syscall.Signal) {
	_ = p.cmd.Process.Signal(how) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
	}
}

// usage is what a process has used since its start.
type usage struct {
	cpu  time.Duration // user and system
	peak int64         // peak resident bytes
}

func (p *program) usage() (usage, error) { return usageOf(strconv.Itoa(p.cmd.Process.Pid)) }

// usageOf reads the usage of a process from /proc.
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

// tail keeps the end of a program's output. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
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

// String returns the end of the output.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
