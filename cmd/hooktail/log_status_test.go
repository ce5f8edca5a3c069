package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
)

// TestStatusOfTheLog: each instance shows the log, its reader and its senders, whatever role it
// has, and so does the command while none runs; what nobody has delivered is lag, and a hole is
// named.
func TestStatusOfTheLog(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	server := natstest.Start(t, nil)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=1s", "HOOKTAIL_NATS_URL=" + server.URL()}
	setUpOnce(t, db, variables...)
	run := func(role string) *program {
		return startTuned(t, relay.Tuning{SurveyEvery: 50 * time.Millisecond}, []string{"run"}, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_ROLE="+role)...))
	}
	reader := run("reader")
	logOf := func(p *program, check func(l *status.Log) error) *status.Log {
		t.Helper()
		var l *status.Log
		proctest.WaitFor(t, func() error {
			report, text := ask(t, p, "/status?partitions=1")
			if l = report.Log; l == nil || !l.Connected || l.Time.IsZero() {
				return fmt.Errorf("no survey: %s", text)
			}
			if err := check(l); err != nil {
				return fmt.Errorf("%w: %s", err, text)
			}
			return nil
		})
		return l
	}

	db.Exec(t, annotate, 7)
	alone := logOf(reader, func(l *status.Log) error {
		if l.Undelivered < 64+10 || l.Oldest == nil || l.Reader == nil || l.Reader.HeldBack == nil || *l.Reader.HeldBack > 30 {
			return errors.New("the lag is not shown")
		}
		return nil
	})
	if !hasPosition(alone.Reader.Position) || !alone.Reader.Here || alone.Reader.Since == nil || len(alone.Senders) != 0 || len(alone.Unserved) != 64 || strings.Join(alone.Roles, " ") != "reader" {
		t.Errorf("without a sender: %+v, reader %+v", alone, alone.Reader)
	}
	// Each partition is told that hooks may have changed, and those of the ten hooks have an event.
	if len(alone.Partitions) != 64 || alone.Partitions[1].Number != 1 || alone.Partitions[1].Undelivered != 2 || alone.Partitions[11].Undelivered != 1 {
		t.Errorf("partitions: %+v", alone.Partitions)
	}
	if short, _ := ask(t, reader, "/status"); short.Log == nil || short.Log.Partitions != nil || short.Role != "reader" {
		t.Errorf("partitions are shown unasked: %+v", short.Log)
	}
	if n := reader.metric(t, "hooktail_log_unserved_partitions"); n != 64 {
		t.Errorf("%v partitions without a sender", n)
	}

	sender := run("sender")
	r.Wait(t, path(10), 1)
	for _, p := range []*program{sender, reader} {
		l := logOf(p, func(l *status.Log) error {
			if l.Undelivered != 0 || l.Oldest != nil || len(l.Senders) != 1 || l.Senders[0].Epoch == 0 {
				return errors.New("not all is delivered")
			}
			return nil
		})
		s := l.Senders[0]
		if s.Partitions != 64 || len(l.Unserved) != 0 || s.Here != (p == sender) || l.Reader.Here != (p == reader) || s.Session == l.Reader.Session {
			t.Errorf("with a sender: %+v, reader %+v", l, l.Reader)
		}
	}
	for name, want := range map[string]float64{
		"hooktail_log_connected": 1, "hooktail_log_partitions": 64, "hooktail_log_stopped_partitions": 0, "hooktail_log_undelivered_messages": 0,
		"hooktail_log_undelivered_seconds": 0, "hooktail_log_senders": 1, "hooktail_log_unserved_partitions": 0,
	} {
		if got := sender.metric(t, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if reader.metric(t, "hooktail_log_batches_total") == 0 || reader.metric(t, "hooktail_log_messages") == 0 || reader.metric(t, "hooktail_log_bytes") == 0 {
		t.Error("the reader's metrics are 0")
	}
	table := must(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_HTTP_ADDR="+sender.ops)...), "status")
	for _, want := range []string{"stream HOOKTAIL_" + db.Name, "all delivered", "64 partitions", "this instance", "reader "} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}

	sender.end(t)
	db.Exec(t, annotate, 7)
	db.Exec(t, annotate, 7)
	removeSecond(t, server, db.Name)
	gone := logOf(reader, func(l *status.Log) error {
		if len(l.Stopped) != 1 || len(l.Senders) != 0 {
			return errors.New("the hole is not shown")
		}
		return nil
	})
	if gap := gone.Stopped[0]; gap.Partition != 2 || !strings.HasPrefix(gap.Missing, "1-") {
		t.Errorf("the hole: %+v", gap)
	}
	reader.end(t)
	var printed status.Report
	if err := json.Unmarshal([]byte(must(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_HTTP_ADDR=off")...), "status", "--json")), &printed); err != nil {
		t.Fatal(err)
	}
	if l := printed.Log; l == nil || printed.Running || l.Reader != nil || len(l.Senders) != 0 || len(l.Roles) != 0 || l.Undelivered == 0 || len(l.Stopped) != 1 {
		t.Errorf("while none runs: %+v", printed.Log)
	}
}

// hasPosition reports whether the position is one.
func hasPosition(position string) bool { return position != "" && position != "0/0" }

// removeSecond removes the second message from the end of partition 2, once it is there.
func removeSecond(t *testing.T, server *natstest.Server, slot string) {
	t.Helper()
	stream := server.Stream(t, "HOOKTAIL_"+slot)
	proctest.WaitFor(t, func() error {
		last, err := stream.GetLastMsgForSubject(t.Context(), "ht."+slot+".d.02")
		if err != nil {
			return err
		}
		if n := last.Header.Get("Ht-Number"); n != "4" { // three events behind the first message of the reader's term
			return fmt.Errorf("partition 2 has %s messages, not 4", n)
		}
		for seq := last.Sequence - 1; ; seq-- {
			if m, err := stream.GetMsg(t.Context(), seq); err == nil && m.Subject == last.Subject {
				return stream.DeleteMsg(t.Context(), seq)
			}
		}
	})
}

// TestNoLogNoStatus: without a log, nothing of it is shown or exported.
func TestNoLogNoStatus(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	p := start(t, db)
	_, text := ask(t, p, "/status?partitions=1")
	_, metrics := p.get(t, "/metrics")
	environ := proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops)
	for name, shown := range map[string]string{
		"/status": text, "the metrics": metrics, "status": must(t, environ, "status"),
		"status of the database": must(t, proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR=off"), "status", "--json"),
	} {
		if strings.Contains(shown, `"log"`) || strings.Contains(shown, "hooktail_log_") || strings.Contains(shown, "\nlog ") {
			t.Errorf("%s shows a log:\n%s", name, shown)
		}
	}
	if code, body := p.get(t, "/status/log?hook=1"); code != 404 || !strings.Contains(body, "HOOKTAIL_KEEP") {
		t.Errorf("/status/log: %d %s", code, body)
	}
}
