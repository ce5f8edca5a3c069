package natstest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Server is one server, with a port and a directory that it keeps between Stop and Start.
type Server struct {
	Dir  string // of its store
	Port int

	t       testing.TB
	options func(*server.Options)
	running *server.Server
}

// Start starts a server, which ends with the test. options may change how it runs.
func Start(t testing.TB, options func(*server.Options)) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), t: t, options: options, Port: freePort(t)}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// URL is where the server listens.
func (s *Server) URL() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.Port) }

// configured are the options of a server with that port and store.
func configured(port int, dir string, options func(*server.Options)) *server.Options {
	o := &server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true}
	if options != nil {
		options(o)
	}
	return o
}

// run runs a server in this process.
func run(o *server.Options) (*server.Server, error) {
	running, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	running.Start()
	if !running.ReadyForConnections(time.Minute) {
		return nil, errors.New("NATS is not ready")
	}
	return running, nil
}

// Reload changes options of the running server.
func (s *Server) Reload(change func(*server.Options)) {
	s.t.Helper()
	o := configured(s.Port, s.Dir, s.options)
	change(o)
	if err := s.running.ReloadOptions(o); err != nil {
		s.t.Fatalf("reload NATS: %v", err)
	}
}

// Start starts the server again, with what is in its directory.
func (s *Server) Start() {
	s.t.Helper()
	var err error
	if s.running, err = run(configured(s.Port, s.Dir, s.options)); err != nil {
		s.t.Fatalf("start NATS: %v", err)
	}
}

// Stop ends the server.
func (s *Server) Stop() {
	if s.running == nil {
		return
	}
	s.running.Shutdown()
	s.running.WaitForShutdown()
	s.running = nil
}

// Copy is a copy of the store as it is on disk, for CutBack: what a server has after a loss of
// power, if it was synced now.
func (s *Server) Copy() string {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "store")
	if err := os.CopyFS(to, os.DirFS(s.Dir)); err != nil {
		s.t.Fatalf("copy the store: %v", err)
	}
	return to
}

// CutBack replaces the store by the copy. The server must be stopped.
func (s *Server) CutBack(copied string) {
	s.t.Helper()
	err := os.RemoveAll(s.Dir)
	if err == nil {
		err = os.CopyFS(s.Dir, os.DirFS(copied))
	}
	if err != nil {
		s.t.Fatalf("cut the store back: %v", err)
	}
}

// Stream is a stream of the server.
func (s *Server) Stream(t testing.TB, name string) jetstream.Stream {
	t.Helper()
	stream, err := Client(t, s.URL()).Stream(t.Context(), name)
	check(t, err)
	return stream
}

// DeleteStream deletes it.
func (s *Server) DeleteStream(t testing.TB, name string) {
	t.Helper()
	check(t, Client(t, s.URL()).DeleteStream(t.Context(), name))
}

// Update changes the stream of that name.
func (s *Server) Update(t testing.TB, config jetstream.StreamConfig) {
	t.Helper()
	if _, err := Client(t, s.URL()).UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

// Client returns a client of somebody else's, until the end of the test. It waits for servers that
// are about to start.
func Client(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	check(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	check(t, err)
	return js
}

// check ends the test if there is an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
