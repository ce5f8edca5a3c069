package cloudevents

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAttributes(t *testing.T) {
	t.Parallel()
	type attributes struct{ Type, Source, Subject string }
	for _, test := range []struct {
		name string
		in   Event
		want attributes
	}{
		{"annotation", Event{Action: "ANNOTATION_CREATED", Project: 7, Task: 42}, attributes{"io.labelstud.annotation.created", "/projects/7", "tasks/42"}},
		{"several tasks", Event{Action: "ANNOTATIONS_DELETED", Project: 7}, attributes{"io.labelstud.annotations.deleted", "/projects/7", ""}},
		{"task completed", Event{Action: "TASK_COMPLETED", Project: 7, Task: 1}, attributes{"io.labelstud.task.completed", "/projects/7", "tasks/1"}},
		{"custom", Event{Action: "MODEL_V2_OUTDATED", Project: 1 << 40}, attributes{"io.labelstud.model.v2.outdated", "/projects/1099511627776", ""}},
		{"one word", Event{Action: "PING"}, attributes{"io.labelstud.ping", "/", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := attributes{string(test.in.AppendType(nil)), string(test.in.AppendSource(nil)), string(test.in.AppendSubject(nil))}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := url.Parse(got.Source); err != nil {
				t.Errorf("the source is no URI reference: %v", err)
			}
		})
	}
}

// TestTypesDiffer: names that differ in their underscores alone have different types.
func TestTypesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, action := range []string{"A", "A_", "A__", "A_B", "AB", "A_B_", "A__B", "TASK_CREATED", "TASKS_CREATED"} {
		e := Event{Action: action}
		text := string(e.AppendType(nil))
		if before, ok := seen[text]; ok {
			t.Errorf("%s and %s are both %s", before, action, text)
		}
		seen[text] = action
	}
}

func TestStructured(t *testing.T) {
	t.Parallel()
	type object struct {
		SpecVersion, ID, Source, Type, Time, DataContentType string
		Subject                                              *string
		Data                                                 json.RawMessage
	}
	subject := "tasks/42"
	const at, body = "2026-11-29T01:02:03.000004Z", `{"action": "X",  "n": 1.50}`
	for _, test := range []struct {
		name string
		in   Event
		want object
	}{
		{
			"of a task",
			Event{ID: "1-16B3748-0", Action: "TASK_CREATED", Project: 7, Task: 42, Time: at},
			object{ID: "1-16B3748-0", Source: "/projects/7", Type: "io.labelstud.task.created", Subject: &subject},
		},
		{
			"without a task",
			Event{ID: "repair-0-1", Action: "PROJECT_UPDATED", Project: 7, Time: at},
			object{ID: "repair-0-1", Source: "/projects/7", Type: "io.labelstud.project.updated"},
		},
		{
			"to be escaped",
			Event{ID: "a\"\\\x01é", Action: "<É\n>", Time: at},
			object{ID: "a\"\\\x01é", Source: "/", Type: "io.labelstud.<É\n>"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := append(append(test.in.AppendHead([]byte("before")), body...), StructuredTail...)[len("before"):]
			var got object
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			test.want.SpecVersion, test.want.Time, test.want.DataContentType, test.want.Data = "1.0", at, "application/json", json.RawMessage(body)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             "",
		"1-16B3748-0":                  "1-16B3748-0",
		"/projects/7?a=b#c'~":          "/projects/7?a=b#c'~",
		`a "b" 100%`:                   "a%20%22b%22%20100%25",
		"Euro € 😀":                     "Euro%20%E2%82%AC%20%F0%9F%98%80", // the specification's example
		"line\r\nbreak\x7f":            "line%0D%0Abreak%7F",
		string([]byte{'a', 0xff, 'b'}): "a%EF%BF%BDb",
	} {
		if got := string(AppendHeaderValue(nil, in)); got != want {
			t.Errorf("%q became %q instead of %q", in, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"ce-id": true, "CE_ID": true, "Ce-Tenant": true, "ce-": true, "ce": false, "cent": false, "X-ce-id": false, "": false} {
		if got := IsHeader(name); got != want {
			t.Errorf("header %q: %v", name, got)
		}
	}
	for media, want := range map[string]bool{
		"application/cloudevents+json": true, "Application/CloudEvents-batch+json; charset=utf-8": true,
		"application/json": false, "application/cloud": false, "": false,
	} {
		if got := IsMediaType(media); got != want {
			t.Errorf("media type %q: %v", media, got)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	e := Event{ID: "1-16B3748-0", Action: "ANNOTATION_CREATED", Project: 7, Task: 42, Time: "2026-11-29T01:02:03.000004Z"}
	room := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { room = e.AppendHead(room[:0]); room = AppendHeaderValue(room, e.ID) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
