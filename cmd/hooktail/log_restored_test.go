package main

import (
	"log/slog"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog"
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
	log, err := natslog.Open(natslog.Options{Slot: db.Name, URL: s.URL(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	lost := natslog.Prefix{Timeline: 1, LSN: 1 << 40} // of WAL that the server had
	writer, err := natslog.NewWriter(t.Context(), log, natslog.WriterOptions{Prefix: func() natslog.Prefix { return lost }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	writer.Change(0, lost.LSN-1, func() {})
	if err := writer.Enqueue(t.Context(), nil); err != nil {
		t.Fatal(err)
	}

	p := startAlone(t, proctest.RoleEnviron(db, variables...))
	db.Exec(t, annotate, 7)
	proctest.WaitFor(t, func() error { return p.says("the database was restored to an earlier state", "goes up to 100/0,") })
	p.end(t)
	if n := len(r.Requests(path(1))); n != 1 {
		t.Errorf("%d requests", n)
	}
	for _, stream := range []string{log.Names().Stream, "KV_" + log.Names().Stream} {
		s.DeleteStream(t, stream)
	}
	must(t, proctest.Environ(db, variables...), "repair")
	run(3)
}
