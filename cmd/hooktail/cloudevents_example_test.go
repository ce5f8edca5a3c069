package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// receiveCompleted answers 204 to each event, and hands on the tasks that are complete.
func receiveCompleted(tasks chan<- int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, err := cloudevents.NewEventFromHTTPRequest(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if event.Type() == "io.labelstud.task.completed" {
			var body struct {
				Task struct{ ID int64 }
			}
			if err := event.DataAs(&body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			tasks <- body.Task.ID
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// TestHowToCloudEvents runs the receiver of docs/how-to/cloudevents.md, in both modes.
func TestHowToCloudEvents(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/how-to/cloudevents.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("cloudevents_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "\n```go\n")
	if code, _, found := strings.Cut(rest, "\n```\n"); !found || !strings.Contains(code, "NewEventFromHTTPRequest") || !strings.Contains(string(example), code) {
		t.Errorf("the guide has another receiver:\n%s", code)
	}
	tasks := make(chan int64, 100)
	server := httptest.NewServer(receiveCompleted(tasks))
	t.Cleanup(server.Close)
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	must(t, proctest.Environ(db), "setup", "--task-events")
	db.Exec(t, "UPDATE webhook SET is_active = id = 6, url = $1", server.URL)
	environ := proctest.RoleEnviron(db)
	must(t, environ, "hooks", "set", "6", "--events", "+TASK_COMPLETED", "--format", "cloudevents")
	start(t, db, "HOOKTAIL_SETTLE=0")
	complete := func(task int64) {
		t.Helper()
		db.Exec(t, "UPDATE task SET is_labeled = false WHERE id = $1", task)
		db.Exec(t, "UPDATE task SET is_labeled = true WHERE id = $1", task)
		select {
		case got := <-tasks:
			if got != task {
				t.Errorf("task %d is complete, not %d", got, task)
			}
		case <-time.After(patient):
			t.Fatalf("the receiver was not told of task %d", task)
		}
	}
	complete(7)
	must(t, environ, "hooks", "set", "6", "--format", "cloudevents-structured")
	complete(8)
	shown := must(t, environ, "hooks", "ping", "6")
	if !strings.Contains(shown, `"type": "io.labelstud.ping"`) || !strings.Contains(shown, "204 (2xx) after") {
		t.Errorf("ping shows:\n%s", shown)
	}
}
