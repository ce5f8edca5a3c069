package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/mapping"
)

// TestDemo: the tour fits a terminal, and shows the seven actions, the outage of one
// receiver, and its return. It says nothing else, and sends everything to the user's own
// receiver too.
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
		if len(actions) == 0 { // what a socket that its peer has closed does
			if err := syscall.Kill(os.Getpid(), syscall.SIGPIPE); err != nil {
				t.Errorf("send SIGPIPE: %v", err)
			}
		}
		actions[action]++
	}))
	defer own.Close()
	out, err := proctest.NewOutput(), proctest.NewOutput()
	a := &app{stdout: out, stderr: err, environ: []string{
		"HOOKTAIL_HTTP_ADDR=127.0.0.1:0", "HOOKTAIL_EGRESS=public", "HOOKTAIL_TASK_TABLE=elsewhere", // the user's, for another database
	}, Tuning: relay.Tuning{Guest: true}}
	if code := a.execute(context.Background(), []string{"demo", "--once", "--receiver", own.URL + "/mine?secret=word"}); code != exitDone {
		t.Fatalf("exit code = %d:\n%s%s", code, out, err)
	}
	shown := out.String()
	fits(t, shown)
	if err.String() != "" {
		t.Errorf("on standard error: %s", err)
	}
	tour, outage, _ := strings.Cut(shown, "Receiver 2 dies")
	for _, action := range mapping.Guide.Actions() {
		if actions[string(action)] == 0 {
			t.Errorf("%s did not come to the user's own receiver", action)
		}
		if !regexp.MustCompile(`(?m)^  ` + string(action) + ` +\w+ [\d, a-z]+[\d.]+ m?s +[\d.]+ m?s$`).MatchString(tour) {
			t.Errorf("the tour does not show %s", action)
		}
	}
	for _, want := range []string{
		`receiver 1   4 of 4 delivered`, `receiver 2   refuses connections: 4 of 4 parked`, `Receiver 2 is back after`,
		`(?s)ANNOTATION_CREATED   annotation 16.*s\n.*ANNOTATION_UPDATED   annotation 14.*s\n.*ANNOTATION_UPDATED   annotation 14.*ANNOTATIONS_DELETED  annotation 16`,
		`/\*\*\*: 11 of 11 delivered\n`, `\n7 of 7 actions delivered; of the 4 missed events none was lost or out of order\.\n$`,
	} {
		if !regexp.MustCompile(want).MatchString(outage) {
			t.Errorf("no %q in\n%s", want, outage)
		}
	}
	if strings.Contains(shown, "secret") || strings.Contains(shown, "mine") {
		t.Error("the output shows path or query of the receiver's URL")
	}
}

// fits holds a text against a terminal of 80 columns and 25 lines.
func fits(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 25 {
		t.Errorf("%d lines do not fit a terminal:\n%s", len(lines), text)
	}
	fitsWidth(t, text)
}

func fitsWidth(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("a line has %d columns: %s", n, line)
		}
	}
}

// TestDemoRefusesABadReceiver before it starts anything.
func TestDemoRefusesABadReceiver(t *testing.T) {
	code, _, stderr := command(nil, "demo", "--receiver", "nonsense")
	if code != exitUsage || !strings.Contains(stderr, "--receiver") {
		t.Errorf("exit code = %d, message %q", code, stderr)
	}
}
