//go:build long

package state_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestShareOfASenderThatIsGoneInATransaction: a sender's machine loses its power, or its network, in the middle of
// a transaction, which the server does not notice. Its partitions can be taken all the same.
func TestShareOfASenderThatIsGoneInATransaction(t *testing.T) {
	t.Parallel()
	large := delivery(7, 1)
	large.Body = mapping.BodyOf(make([]byte, 4<<20))
	rows := many(7)
	for i := range rows {
		rows[i].Body = large.Body
	}
	const sends = "SELECT (count(*) > 0)::int FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND wait_event = 'ClientRead' AND query LIKE "
	for name, tt := range map[string]struct {
		batch state.Batch
		when  string
	}{
		"when it has locked the epoch": {state.Batch{Insert: []state.Row{delivery(7, 1)}}, "SELECT (count(*) = 0)::int FROM (SELECT FROM {}.log_partition FOR UPDATE SKIP LOCKED) AS free"},
		"when it sends rows":           {state.Batch{Insert: rows}, sends + "'COPY%'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := cdctest.Postgres(t)
			db := server.Database(t)
			if err := state.Migrate(t.Context(), db.Connect(t), schema); err != nil {
				t.Fatal(err)
			}
			network := cdctest.NewProxy(t, "unix", server.Socket())
			network.Delay(50 * time.Millisecond)
			present := openPool(t, db.DSN)
			share, err := state.TakeShare(t.Context(), present, schema, "slot", []int{7}, 0)
			if err != nil {
				t.Fatal(err)
			}
			gone := state.New(state.Options{
				Pool: openPool(t, fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", network.Addr(), db.Name)), Schema: schema,
				Log: slog.New(slog.DiscardHandler), Share: share,
			})
			applied := make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { applied <- gone.Apply(ctx, tt.batch) }()
			for deadline := time.Now().Add(time.Minute); count(t, db, tt.when) != "1"; {
				if time.Now().After(deadline) {
					t.Fatal("the transaction has not come so far")
				}
			}
			network.Forget()
			cancel()
			if err := <-applied; err == nil {
				t.Fatal("the transaction was not interrupted")
			}
			within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := state.TakeShare(within, present, schema, "slot", []int{7}, 0); err != nil {
				t.Error(err)
			}
		})
	}
}
