package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// The cores of a machine of two.
const (
	hooktailCore = "0" // for hooktail, the null pipeline and the receiver
	databaseCore = "1" // for the database and the application
)

// pin gives one core to the server and the process that saves annotations, and the other
// core to everything else.
func (b *bench) pin(ctx context.Context) (undo func() error, err error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("this scenario needs two cores: one for the database and one for the rest")
	}
	var postmaster string // process id
	if err := b.admin.QueryRow(ctx, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").Scan(&postmaster); err != nil {
		return nil, fmt.Errorf("find the server's process: %w", err)
	}
	set := func(own, server string) error {
		b.databaseCore = server
		return errors.Join(affine(ctx, own, strconv.Itoa(os.Getpid())), affine(ctx, server, append(childrenOf(postmaster), postmaster)...))
	}
	all := "0-" + strconv.Itoa(runtime.NumCPU()-1)
	return func() error {
		defer func() { b.databaseCore = "" }()
		return set(all, all)
	}, set(hooktailCore, databaseCore)
}

// childrenOf returns the child processes of a process.
func childrenOf(pid string) []string {
	text, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return nil // the kernel does not provide it; new sessions inherit the core
	}
	return strings.Fields(string(text))
}

// affine restricts the processes that have not ended, with all their threads, to these cores.
func affine(ctx context.Context, cores string, pids ...string) error {
	for _, pid := range pids {
		out, err := exec.CommandContext(ctx, "taskset", "-acp", cores, pid).CombinedOutput()
		if _, ended := os.Stat("/proc/" + pid); err != nil && ended == nil {
			return fmt.Errorf("pin process %s to core %s: %w: %s", pid, cores, err, out)
		}
	}
	return nil
}
