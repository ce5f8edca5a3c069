package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHealthcheck says what /readyz says, wherever the program listens.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	ready, says := http.StatusOK, "as it is"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(ready)
		fmt.Fprintln(w, says)
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(addr string) (code int, stdout, stderr string) {
		return command([]string{"HOOKTAIL_DATABASE_URL=postgres://127.0.0.1/none", "HOOKTAIL_HTTP_ADDR=" + addr}, "healthcheck")
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "", "[::]", "localhost"} {
		if code, stdout, stderr := ask(host + ":" + port); code != exitDone || stdout != "as it is\n" {
			t.Errorf("%s: exit code = %d: %s%s", host, code, stdout, stderr)
		}
	}
	ready = http.StatusServiceUnavailable
	if code, _, stderr := ask("127.0.0.1:" + port); code != exitFailed || !strings.Contains(stderr, "not ready: as it is (503") {
		t.Errorf("not ready: exit code = %d: %s", code, stderr)
	}
	says = "<html>\n\x1b[2J" + strings.Repeat("another program ", 200)
	if code, _, stderr := ask("127.0.0.1:" + port); code != exitFailed || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "\x1b") || len(stderr) > 600 {
		t.Errorf("another program answers: exit code = %d: %q", code, stderr)
	}
	server.Close()
	if code, _, stderr := ask("127.0.0.1:" + port); code != exitFailed || !strings.Contains(stderr, "refused") {
		t.Errorf("nobody listens: exit code = %d: %s", code, stderr)
	}
	if code, _, stderr := ask("off"); code != exitUsage || !strings.Contains(stderr, "HOOKTAIL_HTTP_ADDR") {
		t.Errorf("off: exit code = %d: %s", code, stderr)
	}
}

// TestHealthcheckOfAnotherURL needs no variable: it is how the receiver of
// docker-compose.yml is asked.
func TestHealthcheckOfAnotherURL(t *testing.T) {
	t.Parallel()
	url, _ := startReceiver(t)
	if code, stdout, stderr := command(nil, "healthcheck", "--url", url); code != exitDone || stdout != "ok\n" {
		t.Errorf("exit code = %d: %s%s", code, stdout, stderr)
	}
	if code, _, stderr := command(nil, "healthcheck", "--url", "://"); code != exitUsage {
		t.Errorf("nonsense: exit code = %d: %s", code, stderr)
	}
}
