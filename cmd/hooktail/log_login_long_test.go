//go:build long

package main

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

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
