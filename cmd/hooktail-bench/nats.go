package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// natsCommand runs a NATS server with JetStream, in a process of its own.
const natsCommand = "nats"

// runNATS serves until its standard input ends. Its arguments are the port and the folder.
func runNATS(args []string) error {
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	running, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: args[1], NoLog: true, NoSigs: true})
	if err != nil {
		return err
	}
	running.Start()
	_, err = io.Copy(io.Discard, os.Stdin)
	running.Shutdown()
	return err
}

// broker is such a process, with a folder of its own.
type broker struct {
	program *program
	dir     string
	stdin   io.Closer
	url     string
}

// startBroker starts one, and waits until it answers. Stop it.
func (b *bench) startBroker(ctx context.Context) (*broker, error) {
	dir, err := os.MkdirTemp("", "hooktail-bench-nats-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	n := &broker{dir: dir, url: fmt.Sprintf("nats://127.0.0.1:%d", port)}
	cmd := exec.Command(b.self, natsCommand, strconv.Itoa(port), dir) //nolint:noctx // it lives until stop
	if n.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if n.program, err = start(cmd); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return n, conn.Close()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-n.program.ended:
			return nil, errors.Join(fmt.Errorf("NATS ended: %s", n.program.stderr), os.RemoveAll(dir))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), n.stop())
		}
	}
}

// stop ends the server and removes what it has stored.
func (n *broker) stop() error {
	n.program.stop(syscall.SIGKILL)
	_ = n.stdin.Close() // the end of the process has closed it
	return os.RemoveAll(n.dir)
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// log makes the slot's stream and bucket, and returns hooktail's variables for it.
func (s *stage) log(ctx context.Context, slot string) ([]string, error) {
	env := []string{"HOOKTAIL_NATS_URL=" + s.broker.url}
	return env, s.command(ctx, s.environ(slot, env...), "setup")
}
