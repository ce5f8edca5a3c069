package main

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/relay"
)

// second is an outlet that keeps back what it is given until it is let through.
type second struct {
	lanes relay.Outlet
	let   <-chan struct{}

	mu      sync.Mutex
	ids     []string
	drained bool
}

func (s *second) Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error {
	s.mu.Lock()
	for _, d := range deliveries {
		s.ids = append(s.ids, d.Event.ID.String())
	}
	s.mu.Unlock()
	select {
	case <-s.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.lanes.Enqueue(ctx, deliveries)
}

func (s *second) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.drained = true
	s.mu.Unlock()
	return s.lanes.Drain(ctx)
}

func (s *second) got() (ids []string, drained bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ids...), s.drained
}

// TestSecondDestination: what stands before the lanes gets every delivery, the slot is not
// confirmed before it has let them through, and it is drained when the program stops.
func TestSecondDestination(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	cfg, err := config.Load(proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0"))
	if err != nil {
		t.Fatal(err)
	}
	let, ready, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	outlet := &second{let: let}
	log := proctest.NewOutput()
	options := relay.Options{
		Config: cfg, Log: newLogger(cfg, log), Version: "test",
		Tuning: relay.Tuning{Guest: true, Ready: func(string) { close(ready) }},
		Outlet: func(lanes relay.Outlet) relay.Outlet { outlet.lanes = lanes; return outlet },
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer close(ended)
		err = relay.Run(ctx, options)
	}()
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("the program has ended: %v\n%s", err, log)
	}
	db.Exec(t, annotate, 7)
	after := db.QueryText(t, "SELECT pg_current_wal_lsn()")
	proctest.WaitFor(t, func() error {
		if ids, _ := outlet.got(); len(ids) == 0 {
			return errors.New("nothing yet")
		}
		return nil
	})
	if db.QueryText(t, "SELECT (confirmed_flush_lsn >= $1::pg_lsn)::text FROM pg_replication_slots WHERE slot_name = $2", after, db.Name) != "false" {
		t.Error("confirmed before it was let through")
	}
	close(let)
	delivered(t, db)
	ids, _ := outlet.got()
	if requests := c.Take(); len(requests) != len(ids) {
		t.Errorf("%d requests for %d deliveries", len(requests), len(ids))
	}
	cancel()
	<-ended
	if _, drained := outlet.got(); err != nil || !drained {
		t.Errorf("ended with %v, drained: %t", err, drained)
	}
}
