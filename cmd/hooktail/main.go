package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	// Root certificates for machines and images that have none. The system's own take
	// precedence.
	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() { os.Exit(run()) }

// run maps signals to a context and the result to an exit code. The first signal requests
// a graceful stop; a second one ends the process immediately. A terminal that is closed is
// such a signal, unless nohup has the program ignore it.
func run() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop)
	// net/http writes to this logger what a receiver sends beyond its answer, which may be the payload.
	log.SetOutput(io.Discard)
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	return a.execute(ctx, os.Args[1:])
}
