package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestDemo: the tour makes all seven actions, sends them to the user's own
// receiver too, and cleans up.
func TestDemo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	actions := map[string]int{}
	own := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		_, rest, _ := strings.Cut(string(body), `{"action": "`)
		action, _, _ := strings.Cut(rest, `"`)
		mu.Lock()
		defer mu.Unlock()
		actions[action]++
	}))
	defer own.Close()
	out, err := proctest.NewOutput(), proctest.NewOutput()
	a := &app{stdout: out, stderr: err, environ: []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_HTTP_ADDR=127.0.0.1:0"}, tuning: tuning{guest: true}}
	if code := a.execute(context.Background(), []string{"demo", "--once", "--receiver", own.URL + "/mine?secret=word"}); code != exitDone {
		t.Fatalf("exit code = %d:\n%s%s", code, out, err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; last != "7 of 7 actions delivered" {
		t.Errorf("last line = %q", last)
	}
	for _, action := range guideActions {
		if actions[string(action)] == 0 {
			t.Errorf("%s did not come to the user's own receiver", action)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("the output shows the query of the receiver's URL")
	}
}

// TestDemoRefusesABadReceiver before it starts anything.
func TestDemoRefusesABadReceiver(t *testing.T) {
	code, _, stderr := command(nil, "demo", "--receiver", "nonsense")
	if code != exitUsage || !strings.Contains(stderr, "--receiver") {
		t.Errorf("exit code = %d, message %q", code, stderr)
	}
}
