package natstest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// nodeVariable says to the test binary which server it is.
const nodeVariable = "HOOKTAIL_NATSTEST_NODE"

// Main is the server, if StartProcesses has started the test binary as one; otherwise it returns
// at once. Call it first in TestMain.
func Main() {
	text := os.Getenv(nodeVariable)
	if text == "" {
		return
	}
	if err := serve(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve runs the server until the test that has started it is no more.
func serve(text string) error {
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return err
	}
	running, err := run(configured(n.Port, n.Dir, n.join))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	running.Shutdown()
	return err
}

// Processes is a cluster of three servers, each a process of its own, for tests that kill them.
type Processes []*Process

// Process is one server of Processes.
type Process struct {
	node  node
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.Closer // the server ends when it is closed
}

// StartProcesses starts a cluster, which ends with the test, and waits until it answers. The
// test's TestMain must call Main.
func StartProcesses(t testing.TB) Processes {
	t.Helper()
	var all Processes
	for _, n := range newNodes(t) {
		p := &Process{node: n, t: t}
		p.Start()
		t.Cleanup(p.Kill)
		all = append(all, p)
	}
	awaitCluster(t, all.URL())
	return all
}

// URL is where the servers listen.
func (all Processes) URL() string {
	urls := make([]string, len(all))
	for i, p := range all {
		urls[i] = fmt.Sprintf("nats://127.0.0.1:%d", p.node.Port)
	}
	return strings.Join(urls, ",")
}

// Start starts the server again, with what is in its directory, and does not wait for it.
func (p *Process) Start() {
	p.t.Helper()
	program, err := os.Executable()
	check(p.t, err)
	text, err := json.Marshal(p.node)
	check(p.t, err)
	p.cmd = exec.CommandContext(context.WithoutCancel(p.t.Context()), program)
	p.cmd.Env = append(os.Environ(), nodeVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start NATS: %v", err)
	}
}

// Kill ends the server with SIGKILL and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // of which that is the reason
	_ = p.stdin.Close()
}
