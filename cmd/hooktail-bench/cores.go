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

	"github.com/jackc/pgx/v5"
)

// The cores of a machine of two.
const (
	hooktailCore = "0" // for hooktail, the null pipeline and the receiver
	databaseCore = "1" // for the database and the application
)

// pin gives the server and what saves annotations one core, and all else another one.
func (b *bench) pin(ctx context.Context) (undo func() error, err error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("a core for the database and another one for the rest: there is one alone")
	}
	postmaster, err := b.postmaster(ctx)
	if err != nil {
		return nil, err
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

// postmaster is the process of the server.
func (b *bench) postmaster(ctx context.Context) (pid string, err error) {
	admin, err := pgx.Connect(ctx, b.server.DSN("postgres"))
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if err := admin.QueryRow(ctx, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").Scan(&pid); err != nil {
		return "", fmt.Errorf("find the server's process: %w", err)
	}
	return pid, nil
}

// childrenOf are the processes that a process has started.
func childrenOf(pid string) []string {
	text, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return nil // the kernel does not say: sessions made from now on follow their parent
	}
	return strings.Fields(string(text))
}

// affine lets the processes run on these cores alone, with all their threads.
func affine(ctx context.Context, cores string, pids ...string) error {
	for _, pid := range pids {
		if out, err := exec.CommandContext(ctx, "taskset", "-acp", cores, pid).CombinedOutput(); err != nil {
			return fmt.Errorf("pin process %s to core %s: %w: %s", pid, cores, err, out)
		}
	}
	return nil
}
