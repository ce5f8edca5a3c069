package main

import (
	"strings"
	"testing"
	"time"

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

// TestRunWaitsForNATS: a server that is away is waited for, and TLS and credentials are
// used when it comes.
func TestRunWaitsForNATS(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	authority, operator := natstest.NewAuthority(t), natstest.NewOperator(t)
	secure := authority.Server(time.Now().Add(time.Hour), true)
	s := natstest.Start(t, func(o *server.Options) {
		secure(o)
		operator.Server(o)
	})
	certificate, key := authority.Pair(time.Now().Add(time.Hour))
	variables := []string{
		"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + s.URL(), "HOOKTAIL_NATS_CA=" + authority.PEM, "HOOKTAIL_NATS_CERT=" + certificate,
		"HOOKTAIL_NATS_KEY=" + key, "HOOKTAIL_NATS_CREDS=" + operator.Credentials(time.Now().Add(time.Hour)),
	}
	setUpOnce(t, db, variables...)
	s.Stop()
	p := startAlone(t, proctest.RoleEnviron(db, variables...))
	p.err.Find(t, "Cannot reach NATS", p.ended)
	s.Start()
	p.whenReady(t)
	db.Exec(t, annotate, 7)
	r.Wait(t, path(1), 1)
}
