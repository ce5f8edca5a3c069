package send

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// formattedHook is the hook of the row with that format.
func formattedHook(t testing.TB, r dispatchtest.Row, format hook.Format) *hook.Hook {
	t.Helper()
	hooks := hook.NewSet(hook.Options{Log: slog.New(slog.DiscardHandler)})
	for _, change := range []hook.RowChange{
		{Table: hook.Webhook, Row: r},
		{Table: hook.HookSetting, Row: dispatchtest.Row{"hook_id": r["id"], "adopted": "f", "format": string(format)}},
	} {
		if err := hooks.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
	if of := hooks.All()[0]; !of.IsRefused() {
		return of
	}
	t.Fatalf("refused: %s", hooks.All()[0].Fault)
	return nil
}

// eventMessage has a body in as many pieces as there are.
func eventMessage(t testing.TB, action mapping.Action, project, task int64) Message {
	t.Helper()
	m := testMessage
	m.Action, m.Project, m.Task = action, project, task
	m.Body = mapping.BodyOf([]byte(`"task": {"id": 42}`)).Within([]byte(`{"action": "`+action+`", `), []byte("}"))
	return m
}

// TestCloudEvents: the official SDK reads in each mode the event that was sent, and its
// data are the body that a hook without a format gets. The signature is of the bytes that
// are sent.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	receiver := dispatchtest.Receiver(t)
	key := mustSigningKey(t, specimen)
	s := newTestSender(t, Options{Timeout: 10 * time.Second, Secrets: func(int64) ([]SigningKey, error) { return []SigningKey{key}, nil }})
	large := eventMessage(t, mapping.TaskCreated, 7, 42)
	large.Body = mapping.BodyOf([]byte(`{"text": "` + strings.Repeat("ä", spareText) + `"}`))
	for _, tt := range []struct {
		name, wantType, wantSource, wantSubject string
		in                                      Message
	}{
		{"annotation", "io.labelstud.annotation.created", "/projects/7", "tasks/42", eventMessage(t, mapping.AnnotationCreated, 7, 42)},
		{"project", "io.labelstud.project.updated", "/projects/7", "", eventMessage(t, mapping.ProjectUpdated, 7, 0)},
		{"completed", "io.labelstud.task.completed", "/projects/7", "tasks/42", eventMessage(t, "TASK_COMPLETED", 7, 42)},
		{"custom", "io.labelstud.model.outdated", "/projects/7", "", eventMessage(t, "MODEL_OUTDATED", 7, 0)},
		{"large", "io.labelstud.task.created", "/projects/7", "tasks/42", large},
	} {
		for _, format := range []hook.Format{hook.CloudEvents, hook.CloudEventsStructured} {
			path := "/" + tt.name + "/" + string(format)
			of := formattedHook(t, dispatchtest.HookRow(1, receiver.URL+path).With(
				"headers", `{"Content-Type": "application/cloudevents-batch+json", "ce-id": "mine", "CE_SOURCE": "mine", "Ce-Tenant": "mine", "X-Own": "1"}`), format)
			if out := s.Send(t.Context(), of, tt.in); out.Result != Result2xx {
				t.Fatalf("%s: outcome %+v", path, out)
			}
			got := receiver.Wait(t, path, 1)[0]
			if signed := Sign([]SigningKey{key}, tt.in.ID, got.Header.Get("Webhook-Timestamp"), mapping.BodyOf(got.Body)); signed != got.Header.Get("Webhook-Signature") {
				t.Errorf("%s: the signature is not that of the bytes that were sent", path)
			}
			if got.Header.Get("X-Own") != "1" || got.Header.Get("Ce-Tenant") != "" || got.Header.Get("Webhook-Id") != tt.in.ID {
				t.Errorf("%s: headers %v", path, got.Header)
			}
			checkMode(t, path, got, format, tt.in.Body)
			want := event.New()
			want.SetID(tt.in.ID)
			want.SetType(tt.wantType)
			want.SetSource(tt.wantSource)
			if tt.wantSubject != "" {
				want.SetSubject(tt.wantSubject)
			}
			want.SetTime(time.Date(2026, 11, 23, 9, 37, 58, 230832000, time.UTC))
			want.SetDataContentType("application/json")
			want.DataEncoded = tt.in.Body.Bytes()
			if diff := cmp.Diff(want.String(), dispatchtest.CloudEvent(t, got.Header, got.Body).String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

// checkMode: in the binary mode the body is untouched, in the structured one it is within
// the event.
func checkMode(t *testing.T, path string, got dispatchtest.Request, format hook.Format, body mapping.Body) {
	t.Helper()
	attributes := 0
	for name := range got.Header {
		if strings.HasPrefix(name, "Ce-") {
			attributes++
		}
	}
	switch kind := got.Header.Get("Content-Type"); {
	case format == hook.CloudEvents && (kind != "application/json" || attributes < 5 || !bytes.Equal(got.Body, body.Bytes())):
		t.Errorf("%s: %s, %d attributes in headers, body %.200s", path, kind, attributes, got.Body)
	case format == hook.CloudEventsStructured && (kind != "application/cloudevents+json" || attributes > 0 || !bytes.Contains(got.Body, body.Bytes())):
		t.Errorf("%s: %s, %d attributes in headers, body %.200s", path, kind, attributes, got.Body)
	}
}

// TestFormatsOnTheWire: a hook without a format has the same bytes as ever, whatever its
// own headers are; no format repeats a header.
func TestFormatsOnTheWire(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	s := newTestSender(t, Options{})
	own := map[string]string{"ce-id": "mine", "Content-Type": "application/cloudevents+json"}
	raw := w.send(t, s, formattedHook(t, dispatchtest.HookRow(1, "http://"+w.host+"/h").With("headers", `{"ce-id": "mine", "Content-Type": "application/cloudevents+json"}`), hook.LabelStudio))
	w.checkRequest(t, raw, "/h", own)
	for name, value := range own {
		if !strings.Contains(raw, name+": "+value+"\r\n") {
			t.Errorf("header %s of its own is not sent:\n%s", name, raw)
		}
	}
	raw = w.send(t, s, formattedHook(t, dispatchtest.HookRow(1, "http://"+w.host+"/h").With("headers", `{"ce-id": "mine"}`), hook.CloudEvents))
	if n := strings.Count(strings.ToLower(raw), "ce-id:"); n != 1 || strings.Contains(raw, "mine") {
		t.Errorf("ce-id is there %d times:\n%s", n, raw)
	}
}

// TestExchangeShowsTheFormat: a person sees the attributes and the body as they were sent.
func TestExchangeShowsTheFormat(t *testing.T) {
	t.Parallel()
	receiver := dispatchtest.Receiver(t)
	s := newTestSender(t, Options{Timeout: 10 * time.Second})
	row := dispatchtest.HookRow(1, receiver.URL+"/h").With("headers", `{"ce-id": "hush", "content-type": "application/x; hush"}`)
	m := eventMessage(t, mapping.TaskCreated, 7, 42)
	for format, want := range map[hook.Format]map[string]string{
		hook.LabelStudio: {"Content-Type": "***", "ce-id": "***"},
		hook.CloudEvents: {
			"Content-Type": "***", "ce-specversion": "1.0", "ce-id": m.ID, "ce-source": "/projects/7",
			"ce-type": "io.labelstud.task.created", "ce-subject": "tasks/42", "ce-time": m.Committed,
		},
		hook.CloudEventsStructured: {"Content-Type": "application/cloudevents+json"},
	} {
		of := formattedHook(t, row, format)
		e := s.Exchange(t.Context(), of, m)
		got := map[string]string{}
		for _, h := range e.Headers {
			if strings.HasPrefix(h.Name, "ce-") || h.Name == "Content-Type" {
				got[h.Name] = h.Value
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: headers (-want +got):\n%s", format, diff)
		}
		requests := receiver.Requests("/h")
		if sent := requests[len(requests)-1].Body; string(sent) != string(e.Body) || strings.HasPrefix(string(sent), `{"specversion"`) != (format == hook.CloudEventsStructured) {
			t.Errorf("%s: shown %s, sent %s", format, e.Body, sent)
		}
		names := strings.Join(s.HeaderNames(t.Context(), of), " ")
		for name := range want {
			if !strings.Contains(names, name) {
				t.Errorf("%s: header %s is not among %s", format, name, names)
			}
		}
	}
}

// TestFormatAllocations: a format costs a hook that has none nothing, and the structured
// one copies no large body.
func TestFormatAllocations(t *testing.T) {
	ok := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	s := newTestSender(t, Options{Transport: dispatchtest.Writing(ok)})
	m := eventMessage(t, mapping.AnnotationCreated, 7, 42)
	for format, most := range map[hook.Format]float64{hook.LabelStudio: 2, hook.CloudEvents: 3, hook.CloudEventsStructured: 2} {
		of := formattedHook(t, dispatchtest.HookRow(1, "http://x/"), format)
		if n := testing.AllocsPerRun(1000, func() { s.Send(t.Context(), of, m) }); n > most {
			t.Errorf("%q: %v allocations an attempt, want %v at most", format, n, most)
		}
	}
	m.Body = mapping.BodyOf(make([]byte, 5<<20))
	s.Send(t.Context(), formattedHook(t, dispatchtest.HookRow(2, "http://x/"), hook.CloudEventsStructured), m)
	for _, e := range s.envelopes.spare {
		if held := cap(e.text) + cap(e.event.text) + int(e.reader.Size()) + e.pieces.Len(); held > spareText+1024 {
			t.Errorf("a spare envelope holds %d bytes", held)
		}
	}
}
