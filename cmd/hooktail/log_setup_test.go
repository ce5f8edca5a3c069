package main

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestSetupNamesTheLog: --print shows how stream and bucket are created, as comments of
// the SQL and without asking NATS; setup creates them, and says so.
func TestSetupNamesTheLog(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	s := natstest.Start(t, nil)
	environ := proctest.Environ(db, "HOOKTAIL_NATS_URL="+strings.Replace(s.URL(), "://", "://ht:"+mark+"@", 1))
	name := "HOOKTAIL_" + db.Name
	s.Stop()
	printed := must(t, environ, "setup", "--print")
	for _, want := range []string{
		"\n-- nats request '$JS.API.STREAM.CREATE." + name + `' '{"name":"` + name + `",`,
		"\n-- nats request '$JS.API.STREAM.CREATE.KV_" + name + `' '{"name":"KV_` + name + `",`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("--print has no %q:\n%s", want, printed)
		}
	}
	outputs{"stdout": printed}.hold(t)
	s.Start()
	if said := must(t, environ, "setup"); !strings.Contains(said, "\n-- stream "+name+" in NATS: 0 messages\n-- stream KV_"+name+" in NATS: ") {
		t.Errorf("setup says:\n%s", said)
	}
	s.Stream(t, name)
	s.Stream(t, "KV_"+name)

	s.DeleteStream(t, name)
	if said := must(t, environ, "teardown", "--yes"); !strings.Contains(said, "\n--   stream KV_"+name+" in NATS: ") {
		t.Errorf("teardown does not name the bucket, which is what is left of the log:\n%s", said)
	}
	if said := must(t, environ, "setup"); !strings.Contains(said, "\n-- stream KV_"+name+" in NATS: 0 messages\n") {
		t.Errorf("teardown left the bucket; setup says:\n%s", said)
	}
}
