//go:build long && unix

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestFrozenSenderIsFenced stops a sender (SIGSTOP) that has requests in flight. The server of
// the database ends its session, as it does after 16 seconds of silence, and another sender
// takes its partitions. Continued, it writes nothing of its old epoch.
func TestFrozenSenderIsFenced(t *testing.T) {
	t.Parallel()
	frozenSender(t, 0)
}

// TestFrozenReaderIsFenced is the same of a reader.
func TestFrozenReaderIsFenced(t *testing.T) {
	t.Parallel()
	frozenReader(t, 0)
}

// logged is a scene with a log, whose programs have roles of their own in the database.
type logged struct {
	*scene
	nats      *natstest.Server
	variables []string
}

func prepareLogged(t *testing.T, hooks ...string) *logged {
	t.Helper()
	s := &logged{scene: prepare(t, cdctest.Postgres(t).LabelStudio(t), hooks...), nats: natstest.Start(t, nil)}
	s.variables = []string{"HOOKTAIL_NATS_URL=" + s.nats.URL(), "HOOKTAIL_NATS_SYNC=always"}
	proctest.SetUp(t, s.db, s.variables...)
	s.watchTables(t)
	return s
}

// start starts a program of the role, which is the database's user of that name.
func (s *logged) start(t *testing.T, user, role string) *proctest.Program {
	t.Helper()
	name := s.db.Name + "_" + user
	s.db.Exec(t, fmt.Sprintf(`CREATE ROLE %q LOGIN REPLICATION IN ROLE hooktail`, name))
	dsn := strings.Replace(proctest.RoleDSN(s.db), "hooktail@", name+"@", 1)
	return proctest.Start(t, proctest.RoleEnviron(s.db, append(s.variables, "HOOKTAIL_ROLE="+role, "HOOKTAIL_DATABASE_URL="+dsn)...), "run")
}

// watchTables notes who writes to hooktail's tables.
func (s *logged) watchTables(t *testing.T) {
	t.Helper()
	s.db.Exec(t, `CREATE TABLE wrote (n bigserial, who text DEFAULT session_user, relation text)`)
	s.db.Exec(t, `CREATE FUNCTION note() RETURNS trigger SECURITY DEFINER SET search_path = public LANGUAGE plpgsql AS
		$$ BEGIN INSERT INTO wrote (relation) VALUES (tg_table_name); RETURN NULL; END $$`)
	s.db.Exec(t, `DO $$ DECLARE r regclass; BEGIN
		FOR r IN SELECT oid FROM pg_class WHERE relnamespace = 'hooktail'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION note()', r);
		END LOOP; END $$`)
}

// expires has the server end the user's sessions that have locks or the slot, as it does when
// it has not heard of them for long; or waits until it does, if the freeze is long enough.
func (s *logged) expires(t *testing.T, user string, freeze time.Duration) {
	t.Helper()
	const sessions = ` FROM pg_stat_activity a WHERE usename = $1 AND (backend_type = 'walsender' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))`
	name := s.db.Name + "_" + user
	<-time.After(freeze)
	proctest.WaitFor(t, func() error {
		if freeze == 0 {
			s.db.QueryText(t, `SELECT count(pg_terminate_backend(pid))`+sessions, name)
		}
		if open := s.db.QueryText(t, `SELECT coalesce(string_agg(concat_ws(' ', backend_type, state, wait_event_type, wait_event, left(query, 80)), '; '), '')`+sessions, name); open != "" {
			return fmt.Errorf("sessions of %s are there: %s", user, open)
		}
		return nil
	})
}

// reads waits until the user's reader has the slot.
func (s *logged) reads(t *testing.T, user string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if s.db.QueryText(t, `SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND backend_type = 'walsender'`, s.db.Name+"_"+user) == "0" {
			return fmt.Errorf("reader %s does not read", user)
		}
		return nil
	})
}

// freezes stops the program until SIGCONT, or until the end of the test.
func freezes(t *testing.T, p *proctest.Program) {
	t.Helper()
	p.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { p.Signal(syscall.SIGCONT) })
}

// takenBy waits until the user has taken all partitions that it can have, and returns where the
// notes of the tables are then.
func (s *logged) takenBy(t *testing.T, user string) (notes string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if s.db.QueryText(t, `SELECT count(*) FROM wrote WHERE relation = 'log_partition' AND who = $1`, s.db.Name+"_"+user) == "0" {
			return errors.New("the other sender has taken no partition")
		}
		return nil
	})
	return s.db.QueryText(t, `SELECT max(n) FROM wrote`)
}

// frozenSender freezes a sender for so long; 0: until the other one has taken over.
func frozenSender(t *testing.T, freeze time.Duration) {
	t.Helper()
	s := prepareLogged(t, "steady", "flaky", "third")
	watch := watchStream(t, s.nats, "KV_HOOKTAIL_"+s.db.Name)
	s.answers(sometimes("flaky", 10))
	s.start(t, "reader", "reader")
	frozen := s.start(t, "frozen", "sender")
	s.takenBy(t, "frozen")
	l := s.write(t, rate{every: 20 * time.Millisecond})
	s.arrives(t, "steady", 50)
	if strings.Contains(frozen.Stderr.String(), "The share of the partitions changes") {
		t.Error("the only sender has ended its tenure, although nobody has joined")
	}
	answered := make(chan struct{})
	waiting := make(chan struct{}, 1)
	s.waits(func(string) {
		select {
		case waiting <- struct{}{}:
		default:
		}
		<-answered
	})
	<-waiting
	freezes(t, frozen)
	s.start(t, "other", "sender")
	s.expires(t, "frozen", freeze)
	notes := s.takenBy(t, "other")
	s.waits(nil)
	close(answered) // the answers are there when the frozen one wakes
	s.arrives(t, "steady", 50)
	frozen.Signal(syscall.SIGCONT)
	frozen.Stderr.Find(t, "Sending stopped: trying again", frozen.Ended())
	s.arrives(t, "steady", 50)
	l.stop()
	s.allArrive(t)
	if freeze > 0 {
		s.check(t)
	} else {
		// It trusts its session for 8 seconds without an answer, and so sends what it has
		// in hand until it notices that the session has ended.
		s.checkFirst(t)
	}
	stillRuns(t, frozen)
	if n := s.db.QueryText(t, `SELECT count(*) FROM wrote WHERE who = $1 AND n > $2
		AND n < coalesce((SELECT min(n) FROM wrote WHERE who = $1 AND n > $2 AND relation = 'log_partition'), $2)`, s.db.Name+"_frozen", notes); n != "0" {
		t.Errorf("the sender that was frozen has written %s rows before it took partitions again", n)
	}
	watch.epochsGrow(t)
}

// frozenReader freezes a reader for so long; 0: until the other one leads. Then the other way
// round.
func frozenReader(t *testing.T, freeze time.Duration) {
	t.Helper()
	s := prepareLogged(t, "steady", "second", "third")
	watch := watchStream(t, s.nats, "HOOKTAIL_"+s.db.Name)
	s.start(t, "sender", "sender")
	leader, other := "one", "two"
	programs := map[string]*proctest.Program{leader: s.start(t, leader, "reader")}
	programs[leader].Ready(t)
	programs[other] = s.start(t, other, "reader")
	programs[other].StandsBy(t)
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 300})
	for range 2 {
		s.arrives(t, "steady", 200)
		frozen := programs[leader]
		freezes(t, frozen)
		s.expires(t, leader, freeze)
		s.reads(t, other) // before the frozen one asks for the lock again
		s.arrives(t, "steady", 200)
		frozen.Signal(syscall.SIGCONT)
		proctest.WaitFor(t, func() error {
			if n := strings.Count(frozen.Stderr.String(), "Lost leadership"); n == 0 {
				return errors.New("the reader that was frozen has not noticed")
			}
			return nil
		})
		s.arrives(t, "steady", 100)
		leader, other = other, leader
	}
	l.stop()
	s.allArrive(t)
	s.check(t)
	watch.partitionsAreChains(t)
}

// history is all messages that a stream has had.
type history struct {
	mu       sync.Mutex
	messages []jetstream.Msg
	seq      uint64
	stream   jetstream.Stream
}

// watchStream begins to read a stream that was just made.
func watchStream(t *testing.T, server *natstest.Server, name string) *history {
	t.Helper()
	w := &history{stream: server.Stream(t, name)}
	consumer, err := w.stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	reading, err := consumer.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			t.Errorf("read stream %s: %v", name, err)
			return
		}
		w.messages, w.seq = append(w.messages, m), meta.Sequence.Stream
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reading.Stop)
	return w
}

// all waits until the end of the stream was read, and returns its messages by subject.
func (w *history) all(t *testing.T) map[string][]jetstream.Msg {
	t.Helper()
	info, err := w.stream.Info(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	proctest.WaitFor(t, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.seq < info.State.LastSeq {
			return fmt.Errorf("%d of %d messages are read", w.seq, info.State.LastSeq)
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	of := make(map[string][]jetstream.Msg)
	for _, m := range w.messages {
		of[m.Subject()] = append(of[m.Subject()], m)
	}
	return of
}

// epochsGrow asserts that no bookmark was written with an epoch after one with a later epoch.
func (w *history) epochsGrow(t *testing.T) {
	t.Helper()
	last := int64(0)
	for key, marks := range w.all(t) {
		before := int64(0)
		for _, m := range marks {
			var mark struct{ Epoch int64 }
			if err := json.Unmarshal(m.Data(), &mark); err != nil {
				t.Fatalf("bookmark %s: %v", key, err)
			}
			if mark.Epoch < before {
				t.Errorf("bookmark %s was written with epoch %d after epoch %d", key, mark.Epoch, before)
			}
			before = mark.Epoch
		}
		last = max(last, before)
	}
	if last < 2 {
		t.Errorf("the last epoch is %d: no sender has taken over", last)
	}
}

// partitionsAreChains asserts that each message of a partition follows the one that it names,
// and that none is there twice: no reader has written beside another one.
func (w *history) partitionsAreChains(t *testing.T) {
	t.Helper()
	for subject, messages := range w.all(t) {
		if strings.HasSuffix(subject, ".fence") {
			continue
		}
		before, known := "", make(map[string]bool)
		for _, m := range messages {
			id := m.Headers().Get("Ht-Id")
			if follows := m.Headers().Get("Ht-Before"); follows != before {
				t.Errorf("%s: message %s follows %q, but says %q", subject, id, before, follows)
			}
			if known[id] {
				t.Errorf("%s: message %s is there twice", subject, id)
			}
			before, known[id] = id, true
		}
	}
}
