package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// consume calls handle with each annotation that is created, until the context ends. An
// event that handle has refused comes again.
func consume(ctx context.Context, url, stream string, handle func(id string, body []byte) error) error {
	conn, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable:       "training",
		FilterSubject: "labelstudio.*.*.ANNOTATION_CREATED",
		AckPolicy:     jetstream.AckExplicitPolicy,
		MaxAckPending: 1, // in order
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		answer := m.Ack
		if err := handle(m.Headers().Get("webhook-id"), m.Data()); err != nil {
			answer = func() error { return m.NakWithDelay(time.Second) }
		}
		if err := answer(); err != nil {
			return err
		}
	}
}

// howToCode is the code of that language in the how-to.
func howToCode(t *testing.T, name, language string) string {
	t.Helper()
	_, rest, _ := strings.Cut(readText(t, filepath.Join(repository, "docs/how-to", name+".md")), "\n```"+language+"\n")
	code, _, found := strings.Cut(rest, "\n```\n")
	if !found {
		t.Fatalf("docs/how-to/%s.md has no %s", name, language)
	}
	return code
}

// publishing is a database whose events are published, and the variables of its program.
func publishing(t *testing.T) (db *cdctest.Database, c *conformance.Collector, server *natstest.Server, variables []string) {
	t.Helper()
	db = cdctest.Postgres(t).LabelStudio(t)
	c = receive(t, db)
	server = natstest.Start(t, nil)
	return db, c, server, []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + server.URL(), "HOOKTAIL_TOPIC=true"}
}

// TestHowToTopic runs the Go program of docs/how-to/topic.md: it gets what was committed
// before it was there, and after a restart what it has not acknowledged.
func TestHowToTopic(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("topic_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if code := howToCode(t, "topic", "go"); !strings.Contains(string(source), code) {
		t.Errorf("the how-to has another program:\n%s", code)
	}
	db, _, server, variables := publishing(t)
	start(t, db, variables...)
	want := []string{db.QueryText(t, annotate, 7), db.QueryText(t, annotate, 8)}
	var got []string
	refused := false
	for range 2 { // the second one goes on where the first one has ended
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		err := consume(ctx, server.URL(), "HOOKTAIL_"+db.Name+"_TOPIC", func(id string, body []byte) error {
			if id == "" {
				t.Errorf("an event without an id: %s", body)
			}
			if !refused {
				refused = true
				return errors.New("busy")
			}
			if got = append(got, idOf(t, body, "annotation")); len(got) == len(want) {
				cancel()
			}
			return nil
		})
		cancel()
		if len(got) < len(want) {
			t.Fatalf("it has ended: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("annotations (-want +got):\n%s", diff)
		}
		want = append(want, db.QueryText(t, annotate, 7))
	}
}

// published waits for n messages of the topic and returns those that it has.
func published(t *testing.T, server *natstest.Server, name string, n uint64) (messages []*jetstream.RawStreamMsg) {
	t.Helper()
	stream := server.Stream(t, name)
	var info *jetstream.StreamInfo
	proctest.WaitFor(t, func() (err error) {
		if info, err = stream.Info(t.Context()); err == nil && info.State.Msgs < n {
			err = fmt.Errorf("%d messages of %d", info.State.Msgs, n)
		}
		return err
	})
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

// TestTopic: every event is published once, also one that no hook wants, with the body and
// the headers that a hook gets.
func TestTopic(t *testing.T) {
	t.Parallel()
	db, c, server, variables := publishing(t)
	db.Exec(t, "UPDATE webhook SET is_active = id = 6")
	p := start(t, db, variables...)
	annotation := db.QueryText(t, annotate, 7)
	db.Exec(t, "UPDATE task_completion SET result = '[1]', updated_at = clock_timestamp() WHERE id = $1", annotation)
	db.Exec(t, "DELETE FROM task_completion WHERE id = $1", annotation)
	copied(t, db, "task", 1, `{"data": {"text": "`+strings.Repeat("large ", 250<<10)+`"}}`)
	first := takeOf(t, c, 6, 4)
	db.Exec(t, "UPDATE webhook SET is_active = false")
	db.Exec(t, annotate, 7)
	project := copied(t, db, "project", 1, `{"title": "another"}`)
	messages := published(t, server, "HOOKTAIL_"+db.Name+"_TOPIC", 6)
	var subjects []string
	for i, m := range messages {
		subjects = append(subjects, m.Subject)
		if i >= len(first) {
			continue
		}
		r := first[i]
		body, omitted := string(r.Body), ""
		if i == 3 {
			body, omitted = `{"action": "TASK_CREATED"}`, fmt.Sprint(len(r.Body))
		}
		if string(m.Data) != body || m.Header.Get("hooktail-omitted") != omitted {
			t.Errorf("%s: omitted %s, body %.200s", m.Subject, m.Header.Get("hooktail-omitted"), m.Data)
		}
		for _, name := range []string{"webhook-id", "hooktail-lsn", "hooktail-commit-time"} {
			if m.Header.Get(name) != r.Headers[name] {
				t.Errorf("%s: %s is %q, not %q", m.Subject, name, m.Header.Get(name), r.Headers[name])
			}
		}
	}
	want := []string{"labelstudio.1.1.ANNOTATION_CREATED", "labelstudio.1.1.ANNOTATION_UPDATED", "labelstudio.1.1.ANNOTATIONS_DELETED", "labelstudio.1.1.TASK_CREATED", "labelstudio.1.1.ANNOTATION_CREATED", "labelstudio.1." + project + ".PROJECT_CREATED"}
	if diff := cmp.Diff(want, subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	p.end(t)
	if said := must(t, proctest.Environ(db, variables...), "teardown", "--yes"); !strings.Contains(said, "HOOKTAIL_") {
		t.Errorf("teardown says:\n%s", said)
	}
	if names := streamsOf(t, server); len(names) > 0 {
		t.Errorf("teardown leaves %v", names)
	}
}

func streamsOf(t *testing.T, server *natstest.Server) (names []string) {
	t.Helper()
	js := natstest.Client(t, server.URL())
	for name := range js.StreamNames(t.Context()).Name() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
