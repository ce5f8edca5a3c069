package natstest

import (
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

// configured are the options with which it starts.
func (s *Server) configured() *server.Options {
	o := &server.Options{Host: "127.0.0.1", Port: s.Port, JetStream: true, StoreDir: s.Dir, NoLog: true, NoSigs: true}
	if s.options != nil {
		s.options(o)
	}
	return o
}

// Reload changes options of the running server.
func (s *Server) Reload(change func(*server.Options)) {
	s.t.Helper()
	o := s.configured()
	change(o)
	if err := s.running.ReloadOptions(o); err != nil {
		s.t.Fatalf("reload NATS: %v", err)
	}
}

// Start starts the server again, with what is in its directory.
func (s *Server) Start() {
	s.t.Helper()
	running, err := server.NewServer(s.configured())
	if err != nil {
		s.t.Fatalf("start NATS: %v", err)
	}
	running.Start()
	if !running.ReadyForConnections(time.Minute) {
		s.t.Fatal("NATS is not ready")
	}
	s.running = running
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
	if err := os.RemoveAll(s.Dir); err != nil {
		s.t.Fatalf("cut the store back: %v", err)
	}
	if err := os.CopyFS(s.Dir, os.DirFS(copied)); err != nil {
		s.t.Fatalf("cut the store back: %v", err)
	}
}

// Stream is a stream of the server.
func (s *Server) Stream(t testing.TB, name string) jetstream.Stream {
	t.Helper()
	stream, err := s.client(t).Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// DeleteStream deletes it.
func (s *Server) DeleteStream(t testing.TB, name string) {
	t.Helper()
	if err := s.client(t).DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// Update changes the stream of that name.
func (s *Server) Update(t testing.TB, config jetstream.StreamConfig) {
	t.Helper()
	if _, err := s.client(t).UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) client(t testing.TB) jetstream.JetStream {
	t.Helper()
	return Client(t, s.URL())
}

// Client returns a client of somebody else's, until the end of the test.
func Client(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
