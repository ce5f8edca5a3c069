//go:build long

package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// behind runs the program on the database behind a network that can be broken,
// of which the load notices nothing.
func behind(t testing.TB, server *cdctest.Server, s *scene) (*cdctest.Proxy, programs) {
	t.Helper()
	network := cdctest.NewProxy(t, "unix", server.Socket())
	proctest.SetUp(t, s.db, s.log.Variables()[0]...)
	return network, s.run(t, "HOOKTAIL_DATABASE_URL=postgres://hooktail@"+network.Addr()+"/"+s.db.Name+"?sslmode=disable")
}

// TestNetworkCutMidTransaction cuts all connections of the program, again and
// again, while transactions of several parts are under way.
func TestNetworkCutMidTransaction(t *testing.T) {
	t.Parallel()
	cuts := 8
	if proctest.Soak {
		cuts = 20
	}
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		server := cdctest.Postgres(t)
		s := prepareOn(t, route, server.LabelStudio(t), "steady", "flaky")
		s.answers(sometimes("flaky", 50))
		network, p := behind(t, server, s)
		l := s.write(t, rate{every: 150 * time.Millisecond, bulk: 2500})
		for range cuts {
			s.arrives(t, "steady", 1)
			<-time.After(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
			network.Cut()
			s.neverAhead(t)
		}
		l.stop()
		s.check(t)
		s.neverAhead(t)
		p.stillRun(t)
	})
}

// TestDelayedNetwork: a slow way to the database makes delivery late and nothing
// else.
func TestDelayedNetwork(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		server := cdctest.Postgres(t)
		s := prepareOn(t, route, server.LabelStudio(t), "steady")
		network, p := behind(t, server, s)
		network.Delay(100 * time.Millisecond)
		l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 200})
		for range 5 {
			s.arrives(t, "steady", 100)
			s.neverAhead(t)
		}
		l.stop()
		s.check(t)
		s.neverAhead(t)
		if _, metrics := p.reader().Get(t, "/metrics"); value(metrics, "hooktail_reconnects_total") != "0" {
			t.Errorf("reconnects = %s over a network that is only slow", value(metrics, "hooktail_reconnects_total"))
		}
	})
}

// TestHalfOpenQueriesAreNoticed: all connections of the program are there and
// carry nothing any more, as when a firewall has forgotten them. The program
// says so, gives them up by itself and goes on.
func TestHalfOpenQueriesAreNoticed(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		server := cdctest.Postgres(t)
		s := prepareOn(t, route, server.LabelStudio(t), "steady")
		network, p := behind(t, server, s)
		l := s.write(t, rate{every: 10 * time.Millisecond})
		s.arrives(t, "steady", 100)
		network.Forget()
		proctest.WaitFor(t, func() error {
			for _, program := range p {
				if status, body := program.Get(t, "/readyz"); status == http.StatusOK {
					return fmt.Errorf("/readyz = %s", body)
				}
			}
			return nil
		})
		s.neverAhead(t)
		s.arrives(t, "steady", 100)
		l.stop()
		s.check(t)
		s.neverAhead(t)
		for _, program := range p {
			program.Ready(t)
		}
	})
}
