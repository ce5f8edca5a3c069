//go:build external && linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.yaml.in/yaml/v3"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithPythonHowToSlack runs the program of docs/how-to/slack.md on a recorded event.
func TestWithPythonHowToSlack(t *testing.T) {
	t.Parallel()
	slack := newService(t)
	adapter := runHowTo(t, "slack", "SLACK_WEBHOOK_URL="+slack.url)
	if got := adapter.sends(t, recorded(t, "ANNOTATION_CREATED")); got.status != http.StatusOK {
		t.Errorf("the program answers %d", got.status)
	}
	if want := `{"text": "Task 7 of *`; !strings.HasPrefix(slack.last(), want) || !strings.HasSuffix(slack.last(), `* was annotated."}`) {
		t.Errorf("Slack got %s, want %s…", slack.last(), want)
	}
	slack.answers(http.StatusTooManyRequests)
	if got := adapter.sends(t, recorded(t, "ANNOTATION_UPDATED")); got.status != http.StatusTooManyRequests || got.retryAfter != "7" {
		t.Errorf("when Slack answers 429, the program answers %d, Retry-After %q", got.status, got.retryAfter)
	}
	slack.answers(http.StatusForbidden)
	if got := adapter.sends(t, recorded(t, "ANNOTATION_CREATED")); got.status != http.StatusBadGateway {
		t.Errorf("when Slack refuses, the program answers %d", got.status)
	}
	before := slack.count()
	if got := adapter.sends(t, `{"action": "PING"}`); got.status != http.StatusOK || slack.count() != before {
		t.Errorf("a ping is answered %d, and Slack got %d messages of it", got.status, slack.count()-before)
	}
}

// TestWithPythonHowToGitHubDispatch does so for docs/how-to/github-dispatch.md, whose
// workflow waits for what the program sends.
func TestWithPythonHowToGitHubDispatch(t *testing.T) {
	t.Parallel()
	github := newService(t)
	adapter := runHowTo(t, "github-dispatch", "GITHUB_API_URL="+github.url, "GITHUB_REPOSITORY=owner/name", "GITHUB_TOKEN=secret")
	if got := adapter.sends(t, recorded(t, "ANNOTATION_CREATED")); got.status != http.StatusOK {
		t.Errorf("the program answers %d", got.status)
	}
	if got, want := github.asked(), "POST /repos/owner/name/dispatches Bearer secret"; got != want {
		t.Errorf("GitHub got %q, want %q", got, want)
	}
	var sent struct {
		Event   string         `json:"event_type"`
		Payload map[string]any `json:"client_payload"`
	}
	unmarshal(t, json.Unmarshal, github.last(), &sent)
	if sent.Payload["action"] != "ANNOTATION_CREATED" || sent.Payload["id"] != "1-0-0" || sent.Payload["task"] == nil || sent.Payload["project"] == nil {
		t.Errorf("GitHub got %v", sent.Payload)
	}
	var workflow struct {
		On struct {
			Dispatch struct{ Types []string } `yaml:"repository_dispatch"`
		}
	}
	text := blockOf(t, "github-dispatch", "yaml")
	unmarshal(t, yaml.Unmarshal, text, &workflow)
	if len(workflow.On.Dispatch.Types) != 1 || workflow.On.Dispatch.Types[0] != sent.Event {
		t.Errorf("the workflow waits for %q, the program sends %q", workflow.On.Dispatch.Types, sent.Event)
	}
	for _, m := range regexp.MustCompile(`client_payload\.(\w+)`).FindAllStringSubmatch(text, -1) {
		if _, there := sent.Payload[m[1]]; !there {
			t.Errorf("the workflow reads %s, which is not sent", m[1])
		}
	}
	for body, want := range map[string]int{ // requests to GitHub
		`{"action": "ANNOTATION_CREATED"}`: 1, `{"action": "MODEL_OUTDATED", "payload": 1, "task": null, "project": {"id": 1}}`: 1, `{"action": "PING"}`: 0,
	} {
		before := github.count()
		if got := adapter.sends(t, body); got.status != http.StatusOK || github.count()-before != want {
			t.Errorf("%s: the program answers %d, and GitHub gets %d requests, want %d", body, got.status, github.count()-before, want)
		}
	}
	github.answers(http.StatusUnprocessableEntity)
	if got := adapter.sends(t, recorded(t, "ANNOTATION_CREATED")); got.status != http.StatusUnprocessableEntity {
		t.Errorf("when GitHub answers 422, the program answers %d", got.status)
	}
	github.answers(http.StatusBadGateway)
	if got := adapter.sends(t, recorded(t, "ANNOTATION_CREATED")); got.status != http.StatusBadGateway {
		t.Errorf("when GitHub fails, the program answers %d", got.status)
	}
}

// fastAPI stands in for what the how-tos use of FastAPI.
const fastAPI = `
class HTTPException(Exception):
    def __init__(self, status_code, detail=None):
        self.status_code = status_code

class FastAPI:
    def post(self, path):
        return lambda f: f

class Request:
    def __init__(self, headers, body):
        self.headers, self._body = headers, body
    async def body(self):
        return self._body
    async def json(self):
        import json
        return json.loads(self._body)
`

// TestWithPythonHowToTraining: the program of docs/how-to/training-trigger.md counts each
// event once, also over a restart, and trains when there are enough.
func TestWithPythonHowToTraining(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{
		"fastapi.py": fastAPI, "training.py": blockOf(t, "training-trigger", "python"), "event.json": recorded(t, "ANNOTATION_CREATED"),
		"train.py": "import sys; open('trained', 'a').write(sys.argv[1] + '\\n')",
		"ask.py": `
import asyncio, os, sys
import fastapi, training
start = training.subprocess.Popen
training.subprocess.Popen = lambda args: start(args).wait()
body = open("event.json", "rb").read()
for event_id in sys.argv[1:]:
    print(asyncio.run(training.receive(fastapi.Request({"webhook-id": event_id}, body)))["waiting"])
asyncio.run(training.receive(fastapi.Request({"webhook-id": "p"}, b'{"action": "PING"}')))
`,
	})
	trained := func(events ...string) string {
		cmd := exec.Command("python3", append([]string{"ask.py"}, events...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TRAIN_EVERY=3")
		said(t, cmd)
		text, err := os.ReadFile(filepath.Join(dir, "trained"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := trained("1-1-0", "1-2-0", "1-2-0"); got != "" {
		t.Errorf("it has trained after two annotations: %q", got)
	}
	if got := trained("1-3-0", "1-3-0", "1-4-0", "1-5-0"); got != "1\n" {
		t.Errorf("after five annotations it has trained %q, want once for project 1", got)
	}
	if got := trained("1-6-0"); got != "1\n1\n" {
		t.Errorf("after six annotations it has trained %q, want twice", got)
	}
}

// TestWithPythonHowToSignatures: that of docs/how-to/verify-signatures.md takes what was
// signed with the secret, and nothing else.
func TestWithPythonHowToSignatures(t *testing.T) {
	t.Parallel()
	const secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"action": "PING"}`
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := webhook.Sign("ping-1", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	headers, err := json.Marshal(map[string]string{"webhook-id": "ping-1", "webhook-timestamp": fmt.Sprint(now.Unix()), "webhook-signature": signature})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{
		"fastapi.py": fastAPI, "receiver.py": blockOf(t, "verify-signatures", "python"),
		"receiving.py": blockOf(t, "../receiving", "python"), "headers.json": string(headers),
		"ask.py": `
import asyncio, json, sys
import fastapi, receiver
try:
    print(asyncio.run(receiver.receive(fastapi.Request(json.load(open("headers.json")), sys.argv[1].encode())))["received"])
except fastapi.HTTPException as error:
    print(error.status_code)
`,
	})
	for sent, want := range map[string]string{body: "PING\n", body + " ": "401\n"} {
		cmd := exec.Command("python3", "ask.py", sent)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "WEBHOOK_SECRET="+secret)
		if got := said(t, cmd); got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}

// adapter is a program of a how-to that runs.
type adapter struct{ url string }

// runHowTo runs it as a process of its own until the test ends.
func runHowTo(t *testing.T, name string, variables ...string) adapter {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	writeAll(t, dir, map[string]string{"main.py": blockOf(t, name, "python")})
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("python3", "main.py")
	cmd.Dir = dir
	proctest.StartCommand(t, cmd, append(append(os.Environ(), "PORT="+port), variables...))
	proctest.WaitFor(t, func() error {
		response, err := http.Get("http://" + address)
		if err == nil {
			err = response.Body.Close() // any answer will do
		}
		return err
	})
	return adapter{"http://" + address}
}

// answer is what the program says to hooktail.
type answer struct {
	status     int
	retryAfter string
}

// sends posts the body as hooktail does.
func (a adapter) sends(t *testing.T, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("webhook-id", "1-0-0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return answer{response.StatusCode, response.Header.Get("Retry-After")}
}

// service stands in for Slack or GitHub.
type service struct {
	url string

	mu      sync.Mutex
	request string   // the last one: method, path, authorization; guarded by mu
	bodies  []string // guarded by mu
	status  int      // guarded by mu
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies = append(s.bodies, string(body))
		s.request = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(s.status)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *service) answers(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func (s *service) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request
}

func (s *service) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bodies) == 0 {
		return ""
	}
	return s.bodies[len(s.bodies)-1]
}

// recorded is the body that docs/events.md shows of the action.
func recorded(t *testing.T, action string) string {
	t.Helper()
	_, after, found := strings.Cut(readText(t, eventsDoc), "\n### "+action+"\n")
	_, after, opened := strings.Cut(after, "```json\n")
	body, _, closed := strings.Cut(after, "```")
	if !found || !opened || !closed {
		t.Fatalf("%s shows no body of %s", eventsDoc, action)
	}
	return body
}

// blockOf is the first block in that language of a how-to, without its indentation.
func blockOf(t *testing.T, name, language string) string {
	t.Helper()
	text := readText(t, filepath.Join(repository, "docs/how-to", name+".md"))
	m := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$").FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s has no block in %s", name, language)
	}
	var block bytes.Buffer
	for line := range strings.Lines(m[2]) {
		block.WriteString(strings.TrimPrefix(line, m[1]))
	}
	return block.String()
}

func writeAll(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func unmarshal(t *testing.T, by func([]byte, any) error, text string, into any) {
	t.Helper()
	if err := by([]byte(text), into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}
