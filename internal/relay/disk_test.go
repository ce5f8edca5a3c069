package relay

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktail/hooktail/cdc"
)

// answers is a database that gives one row, or fails, and counts who waits.
type answers func(ctx context.Context, dest []any) error

func (a answers) QueryRow(ctx context.Context, _ string, _ ...any) pgx.Row { return oneRow{ctx, a} }

type oneRow struct {
	ctx context.Context
	a   answers
}

func (r oneRow) Scan(dest ...any) error { return r.a(r.ctx, dest) }

// TestScrapeDoesNotWaitForTheDatabase: a scrape shows the last answer while the
// database is away, and nothing once that is too old.
func TestScrapeDoesNotWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	var away bool
	guard := newDiskGuard(answers(func(ctx context.Context, dest []any) error {
		if away {
			<-ctx.Done()
			return ctx.Err()
		}
		*dest[0].(*cdc.LSN), *dest[1].(*cdc.LSN) = 1000, 400
		*dest[2].(*int64), *dest[3].(*int64) = 900, 100
		return nil
	}), "s", slog.New(slog.DiscardHandler))
	registry := prometheus.NewRegistry()
	registry.MustRegister(guard)
	shown := func() int {
		t.Helper()
		n, err := testutil.GatherAndCount(registry)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := shown(); n != 0 {
		t.Errorf("%d metrics before the database was asked", n)
	}
	guard.look(t.Context())
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hooktail_slot_lag_bytes WAL from the confirmed position to the end of the database's WAL. Absent while the database has not answered for 30s.
# TYPE hooktail_slot_lag_bytes gauge
hooktail_slot_lag_bytes 600
# HELP hooktail_slot_retained_bytes WAL that the database retains for the slot. Absent while the database has not answered for 30s.
# TYPE hooktail_slot_retained_bytes gauge
hooktail_slot_retained_bytes 900
# HELP hooktail_slot_safe_bytes WAL that may be written until the slot is lost; -1: max_slot_wal_keep_size is unlimited, and the disk fills instead. Absent while the database has not answered for 30s.
# TYPE hooktail_slot_safe_bytes gauge
hooktail_slot_safe_bytes 100
`)); err != nil {
		t.Error(err)
	}
	away = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); guard.look(ctx) }() // it hangs
	if n := shown(); n != 3 {
		t.Errorf("%d metrics while the database is away", n)
	}
	cancel()
	<-done
	guard.read = guard.read.Add(-diskLimit - time.Second)
	if n := shown(); n != 0 {
		t.Errorf("%d metrics are shown of an answer that is too old", n)
	}
}

// TestDiskWarnings are given once, and again when it comes to that again.
func TestDiskWarnings(t *testing.T) {
	t.Parallel()
	log := new(strings.Builder)
	guard := newDiskGuard(nil, "s", slog.New(slog.NewTextHandler(log, nil)))
	for _, disk := range []cdc.Disk{
		{Retained: 10, Safe: 90},
		{Retained: 76, Safe: 24},
		{Retained: 90, Safe: 10},
		{Retained: 10, Safe: 90},
		{Retained: 0, Safe: 0, Lost: true}, // the stream says so
		{Retained: 80, Safe: 20},
		{Retained: 80, Safe: cdc.NoLimit},
		{Retained: 90, Safe: cdc.NoLimit},
	} {
		guard.warn(disk)
	}
	got := regexp.MustCompile(`retained_bytes=\d+|unlimited`).FindAllString(log.String(), -1)
	if diff := cmp.Diff([]string{"retained_bytes=76", "retained_bytes=80", "unlimited"}, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
