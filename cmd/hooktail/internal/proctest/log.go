package proctest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// Route is how events come from the slot to the hooks: straight, or through a log.
type Route struct {
	Name  string
	Roles []string // of the programs around the log, the one that reads the slot last; nil: there is no log
}

// Logged is the routes through a log.
func Logged() []Route {
	return []Route{
		{"through the log", []string{"both"}},
		{"reader and sender apart", []string{"sender", "reader"}},
	}
}

// Routes is the straight one and the one whose reader and sender are programs of their own;
// with the tag soak, the one program that is both, too.
func Routes() []Route {
	logged := Logged()
	if !Soak {
		logged = logged[1:]
	}
	return append([]Route{{Name: "straight"}}, logged...)
}

// FewRoutes is for tests that take minutes on each route: the straight one, and all with the
// tag soak.
func FewRoutes() []Route {
	if Soak {
		return Routes()
	}
	return Routes()[:1]
}

// Log is the log of a Route, on a server of its own.
type Log struct {
	Server *natstest.Server
	roles  []string
	client jetstream.JetStream
	seen   uint64 // by Messages
}

// Log starts the server of the route; nil if it has no log. It is an error if nothing goes
// through it by the end of the test.
func (r Route) Log(t testing.TB) *Log {
	t.Helper()
	if r.Roles == nil {
		return nil
	}
	l := &Log{Server: natstest.Start(t, nil), roles: r.Roles}
	conn, err := nats.Connect(l.Server.URL(), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if l.client, err = jetstream.New(conn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.isUsed(t) })
	return l
}

func (l *Log) isUsed(t testing.TB) {
	t.Helper()
	streams := l.client.ListStreams(context.Background(), jetstream.WithStreamListSubject("ht.>"))
	for info := range streams.Info() {
		if info.State.LastSeq > 0 {
			return
		}
	}
	t.Errorf("nothing went through the log: %v", streams.Err())
}

// Variables is the variables of each program, the one that reads the slot last. Without a log
// it is those of the one program.
func (l *Log) Variables(variables ...string) [][]string {
	if l == nil {
		return [][]string{variables}
	}
	var all [][]string
	for _, role := range l.roles {
		of := []string{"HOOKTAIL_NATS_URL=" + l.Server.URL(), "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_ROLE=" + role}
		all = append(all, append(of, variables...))
	}
	return all
}

// Run is the package's Run for each program of the route. The last one reads the slot. nil:
// there is no log.
func (l *Log) Run(t testing.TB, db *cdctest.Database, variables ...string) (programs []*Program) {
	t.Helper()
	for _, of := range l.Variables(variables...) {
		programs = append(programs, Run(t, db, of...))
	}
	return programs
}

// Delivered waits until everything that was committed before the call is delivered or parked,
// by the slot, and by the bookmarks of the senders if there is a log.
func (l *Log) Delivered(t testing.TB, db *cdctest.Database) {
	t.Helper()
	Confirmed(t, db)
	if l != nil {
		WaitFor(t, func() error { return l.undelivered(natslog.NamesOf(db.Name)) })
	}
}

// Message is a message of the log for hooks.
type Message struct {
	ID    string // of the event
	Hooks []int
	Data  []byte // the members of the bodies after the action; nil: they are not in the log
}

// Messages is what has come into the slot's log since the last call, but for what was purged
// before it was seen.
func (l *Log) Messages(t testing.TB, slot string) (all []Message) {
	t.Helper()
	ctx := context.Background()
	names := natslog.NamesOf(slot)
	stream, err := l.client.Stream(ctx, names.Stream)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{names.Subjects()}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: l.seen + 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		batch, err := consumer.FetchNoWait(1000)
		if err != nil {
			t.Fatalf("read the log: %v", err)
		}
		before := len(all)
		for m := range batch.Messages() {
			all = append(all, l.message(t, m))
		}
		if err := batch.Error(); err != nil {
			t.Fatalf("read the log: %v", err)
		}
		if len(all) == before {
			return all
		}
	}
}

func (l *Log) message(t testing.TB, m jetstream.Msg) Message {
	t.Helper()
	meta, err := m.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	l.seen = meta.Sequence.Stream
	message := Message{ID: m.Headers().Get("Ht-Id"), Data: m.Data()}
	for target := range strings.FieldsSeq(m.Headers().Get("Ht-Hooks")) {
		id, _, _ := strings.Cut(target, "=")
		hook, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		message.Hooks = append(message.Hooks, hook)
	}
	return message
}

// undelivered is an error if the bookmarks are behind the log.
func (l *Log) undelivered(names natslog.Names) error {
	ctx := context.Background()
	stream, err := l.client.Stream(ctx, names.Stream)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(names.Subjects()))
	if err != nil {
		return err
	}
	bucket, err := l.client.KeyValue(ctx, names.Stream)
	if err != nil {
		return err
	}
	for subject := range info.State.Subjects {
		last, err := stream.GetLastMsgForSubject(ctx, subject)
		if err != nil {
			return err
		}
		var mark natslog.Bookmark
		entry, err := bucket.Get(ctx, subject[len(subject)-len("00"):])
		if err == nil {
			err = json.Unmarshal(entry.Value(), &mark)
		}
		if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return err
		}
		if mark.Seq < last.Sequence {
			return fmt.Errorf("subject %s is delivered up to message %d of %d", subject, mark.Seq, last.Sequence)
		}
	}
	return nil
}
