package main

import (
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestServerRestoredUnderTheLog: the server was restored with its files and slots, and the log has
// events of WAL that it has lost. New events are not taken for those of the log, which has their
// positions, but wait until the log is made anew.
func TestServerRestoredUnderTheLog(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	s := natstest.Start(t, nil)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + s.URL()}
	setUpOnce(t, db, variables...)
	run := func(events int) *program {
		t.Helper()
		p := start(t, db, variables...)
		db.Exec(t, annotate, 7)
		r.Wait(t, path(1), events)
		return p
	}
	run(1).end(t)
	js := natstest.Client(t, s.URL())
	name := "HOOKTAIL_" + db.Name
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	last, err := stream.GetMsg(t.Context(), stream.CachedInfo().State.LastSeq)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(last.Header.Get("Ht-Number"))
	if err != nil {
		t.Fatal(err)
	}
	next := &nats.Msg{Subject: last.Subject, Header: nats.Header{ // hooks may have changed, before a position that the server had
		"Ht-Id": {"change-FFFFFFFFFF-all-lost"}, "Ht-Before": {last.Header.Get("Ht-Id")}, "Ht-Number": {strconv.Itoa(number + 1)}, "Ht-Prefix": {"1-10000000000 1"},
	}}
	if _, err := js.PublishMsg(t.Context(), next); err != nil {
		t.Fatal(err)
	}

	p := startAlone(t, proctest.RoleEnviron(db, variables...))
	db.Exec(t, annotate, 7)
	proctest.WaitFor(t, func() error { return p.says("the database was restored to an earlier state", "goes up to 100/0,") })
	p.end(t)
	if n := len(r.Requests(path(1))); n != 1 {
		t.Errorf("%d requests", n)
	}
	for _, stream := range []string{name, "KV_" + name} {
		s.DeleteStream(t, stream)
	}
	must(t, proctest.Environ(db, variables...), "repair")
	run(3)
}
