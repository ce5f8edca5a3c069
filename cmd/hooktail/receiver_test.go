package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestReceiverShowsWhatArrives: a line for each webhook, headers and body where
// they are asked for, and a word for what is none; GET asks whether it is there.
func TestReceiverShowsWhatArrives(t *testing.T) {
	t.Parallel()
	url, out := startReceiver(t, "--bodies")
	body := `{"action": "TASK_CREATED", "tasks": [{"id": 3}], "project": {"id": 1}}`
	for _, c := range []struct {
		method, body string
		want         int
	}{
		{http.MethodPost, body, http.StatusOK},
		{http.MethodPost, "no JSON", http.StatusBadRequest},
		{http.MethodPost, `{"tasks": []}`, http.StatusBadRequest},
		{http.MethodGet, "", http.StatusOK},
	} {
		request, err := http.NewRequest(c.method, url+"/hook", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("User-Agent", "hooktail/1.2.3 (test)")
		request.Header.Set("webhook-id", "1-2-3")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s %q: %s, want %d", c.method, c.body, response.Status, c.want)
		}
	}
	for _, want := range []string{
		`"hooktail/1.2.3" +"/hook" +TASK_CREATED +task 3, project 1 +\?  1-2-3\n`,
		`\n    Webhook-Id: "1-2-3"\n`,
		`\n      "action": "TASK_CREATED",\n`,
		`not a webhook: read body: invalid character`,
		`not a webhook: the body has no action`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the output has no %s:\n%s", want, out)
		}
	}
	if strings.Contains(out.String(), "\n    \n") {
		t.Errorf("a GET is shown:\n%s", out)
	}
}

// startReceiver runs `hooktail receiver` on a free port until the test ends.
func startReceiver(t *testing.T, args ...string) (url string, out *proctest.Output) {
	t.Helper()
	out = proctest.NewOutput()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	a := &app{stdout: out, stderr: out}
	code := exitDone
	go func() {
		defer close(ended)
		code = a.execute(ctx, append([]string{"receiver", "--addr", "127.0.0.1:0"}, args...))
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if code != exitDone {
			t.Errorf("exit code = %d:\n%s", code, out)
		}
	})
	return out.Find(t, `receiving on (\S+)`, ended), out
}
