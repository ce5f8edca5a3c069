package cdc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

func TestHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	s := start(t, through(t, optionsOf(t, db, plan), proxy))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	got := s.collect(t, 1)
	proxy.Stall()
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	await(t, func() string {
		if s.Stats().Connected {
			return "still taken for connected"
		}
		return ""
	})
	proxy.Heal()
	got = append(got, s.collect(t, 1)...)
	if diff := cmp.Diff([]string{"insert a 1", "insert a 2"}, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestNetworkCutMidTransaction cuts the connection again and again while small
// and large transactions come: each change arrives once, in order.
func TestNetworkCutMidTransaction(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	o := through(t, optionsOf(t, db, plan), proxy)
	o.PartRows, o.QueueBytes, o.RetryMax = 50, 50_000, 20*time.Millisecond
	next := 0
	for range 20 {
		for _, n := range []int{1, 500, 1, 1} {
			db.Exec(t, "INSERT INTO a SELECT g, repeat('x', 200) FROM generate_series($1::int, $2::int) g", next+1, next+n)
			next += n
		}
	}
	s := start(t, o)
	got, part := 0, 0
	var pending []*Part
	for got < next {
		parts, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			for _, c := range p.Changes {
				got++
				if id := string(c.New.Text(0)); id != fmt.Sprint(got) {
					t.Fatalf("change %d is of row %s, ordinal %d", got, id, c.Ordinal)
				}
			}
			p.Free()
			if p.Last { // confirmed later, so that the server sends again
				pending = append(pending, p)
			}
			if part++; part%25 == 0 {
				proxy.Cut()
			}
		}
		if len(pending) > 10 {
			for _, p := range pending {
				p.Tx.Close(p.End)
			}
			pending = nil
		}
	}
	if n := s.Stats().Connections; n < 3 {
		t.Errorf("%d connections: the cuts came too late", n)
	}
}

func TestPostgresKillAndRestart(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Durable: true})
	db, plan := source(t, server)
	s := start(t, optionsOf(t, db, plan))
	var got, want []string
	for i := range 6 {
		db.Exec(t, "INSERT INTO a VALUES ($1, '')", i)
		want = append(want, fmt.Sprintf("insert a %d", i))
		got = append(got, s.collect(t, 1)...)
		if i%2 == 1 {
			if err := server.Stop([]throwaway.Mode{throwaway.Crash, throwaway.Fast}[i/2%2]); err != nil {
				t.Fatal(err)
			}
			await(t, func() string { // the orphans of a killed server may need a moment to go
				if err := server.Start(t.Context()); err != nil {
					return err.Error()
				}
				return ""
			})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestConsumerDoesNotKeepServerFromStopping: a server that stops waits for what it has
// sent, and for a consumer that is stuck it would wait for ever. What was not finished is
// not lost, and not handed over twice.
func TestConsumerDoesNotKeepServerFromStopping(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db, plan := source(t, server)
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stuck, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Stop(throwaway.Fast) }()
	select {
	case err = <-stopped:
	case <-ctx.Done():
		finish(stuck[0]) // lets it stop
		t.Fatalf("the server did not stop; now: %v", <-stopped)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	if got := s.collect(t, 1); got[0] != "insert a 2" {
		t.Errorf("after the restart: %v", got)
	}
	finish(stuck[0])
}
