package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// natsCommand runs a NATS server with JetStream, in a process of its own.
const natsCommand = "nats"

// runNATS serves until its standard input ends. Its arguments are the address and the folder.
func runNATS(args []string) error {
	address, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	running, err := server.NewServer(&server.Options{
		Host: address.Addr().String(), Port: int(address.Port()), JetStream: true, StoreDir: args[1], NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	running.Start()
	_, err = io.Copy(io.Discard, os.Stdin)
	running.Shutdown()
	return err
}

// startBroker starts such a process for the stage's logs, with a folder of its own, and waits
// until it answers. It ends with the stage.
func (s *stage) startBroker(ctx context.Context) error {
	dir, err := os.MkdirTemp(s.b.dir, "nats-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	s.natsURL = "nats://" + address
	cmd := exec.Command(s.b.self, natsCommand, address, dir) //nolint:noctx // it lives until close
	if _, err := cmd.StdinPipe(); err != nil {               // it ends with this process
		return fmt.Errorf("make pipe: %w", err)
	}
	if s.broker, err = start(cmd); err != nil {
		return err
	}
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.broker.ended:
			return fmt.Errorf("NATS ended: %s", s.broker.stderr)
		default:
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
