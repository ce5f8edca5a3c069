package main

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestWrongLoginAtNATS: every command that uses the log ends with exit code 2 and one
// sentence, which shows no secret.
func TestWrongLoginAtNATS(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	seed, public := natstest.NKey(t)
	s := natstest.Start(t, func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} })
	setUpOnce(t, db, "HOOKTAIL_NATS_URL="+s.URL(), "HOOKTAIL_NATS_NKEY="+seed)
	wrong, _ := natstest.NKey(t)
	environ := proctest.Environ(db, "HOOKTAIL_NATS_URL="+s.URL(), "HOOKTAIL_NATS_NKEY="+wrong)
	const want = "hooktail: HOOKTAIL_NATS_NKEY: the NATS server refuses the NKey: add its public key to the server's users, or use another seed\n"
	for _, args := range [][]string{{"run"}, {"setup"}, {"teardown", "--yes"}, {"repair"}, {"doctor"}} {
		code, stdout, stderr := command(environ, args...)
		if code != exitUsage || !strings.HasSuffix(stderr, want) {
			t.Errorf("hooktail %s: exit code %d, want 2: %s", args[0], code, stderr)
		}
		outputs{"stdout": stdout, "stderr": stderr}.hold(t, wrong)
	}
}
