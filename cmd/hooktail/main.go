package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	// The authorities that browsers trust, for a machine or an image that has no
	// list of its own; where there is one, it alone counts.
	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() { os.Exit(run()) }

// run maps signals to a context and the outcome to an exit code. The first
// signal asks for an orderly end, a second one ends the process at once.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	return a.execute(ctx, os.Args[1:])
}
