//go:build (long || soak) && unix

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// memoryOfProgram is HOOKTAIL_MEMORY's default, and a quarter for what Go does not count.
const memoryOfProgram = 64 << 20 * 5 / 4

// natsAway stops NATS for so long under a load of 500 events a second.
func natsAway(t *testing.T, away time.Duration) {
	t.Helper()
	server := natstest.Start(t, nil)
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "second")
	variables := []string{"HOOKTAIL_NATS_URL=" + server.URL(), "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_LOG_LEVEL=info"}
	proctest.SetUp(t, s.db, variables...)
	programs := make(map[string]*proctest.Program)
	for _, role := range []string{"reader", "sender"} {
		p := proctest.Start(t, proctest.RoleEnviron(s.db, append(variables, "HOOKTAIL_ROLE="+role)...), "run")
		p.Ready(t)
		programs[role] = p
	}
	l := s.write(t, rate{every: 7400 * time.Microsecond, ahead: 1 << 30})
	s.arrives(t, "steady", 1000)
	server.Stop()
	stopped := s.db.QueryText(t, "SELECT pg_current_wal_lsn()::text")
	for role, p := range programs {
		proctest.WaitFor(t, func() error {
			if status, body := p.Get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(strings.ToLower(body), "nats") {
				return fmt.Errorf("the %s is ready without NATS: %d %s", role, status, body)
			}
			return nil
		})
		_, body := p.Get(t, "/readyz")
		t.Logf("%s: %s", role, body)
	}
	<-time.After(away)
	if ahead := s.db.QueryText(t, "SELECT confirmed_flush_lsn > $1::pg_lsn FROM pg_replication_slots WHERE slot_name = $2", stopped, s.db.Name); ahead != "f" {
		t.Error("the slot was confirmed beyond the log")
	}
	l.stop()
	from, began := s.count("steady"), time.Now()
	backlog := int(l.written.Load()) - from
	server.Start()
	s.allArrive(t)
	t.Logf("%d events were written in %s; after it all had arrived in %s: %.0f/s", backlog, away, time.Since(began).Round(time.Millisecond), float64(backlog)/time.Since(began).Seconds())
	for role, p := range programs {
		n := peak(t, p)
		t.Logf("peak memory of the %s: %.1f MiB", role, float64(n)/(1<<20))
		if n > memoryOfProgram {
			t.Errorf("the %s had %d bytes of memory, more than %d", role, n, memoryOfProgram)
		}
	}
	s.check(t)
}
