package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestSlotMetrics: lag and what is retained follow the WAL while nothing can be
// confirmed, and an unlimited slot is said to be one, in the log as well.
func TestSlotMetrics(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	hanging, arrived := make(chan struct{}), make(chan struct{}, 100)
	point(t, db, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-hanging }))
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=10m", "HOOKTAIL_GRACE=0s")
	t.Cleanup(func() { close(hanging) })
	p.err.Find(t, `level=WARN msg="(max_slot_wal_keep_size is unlimited)`, p.ended)
	db.Exec(t, annotate, 7)
	<-arrived
	const written = 3 << 20
	db.Exec(t, "SELECT pg_logical_emit_message(true, 'x', repeat('x', $1))", written)
	proctest.WaitFor(t, func() error {
		lag, retained := p.gauge(t, "hooktail_slot_lag_bytes"), p.gauge(t, "hooktail_slot_retained_bytes")
		if lag < written || retained < lag {
			return fmt.Errorf("lag %v, retained %v, want %d and more", lag, retained, written)
		}
		return nil
	})
	if safe := p.gauge(t, "hooktail_slot_safe_bytes"); safe != cdc.NoLimit {
		t.Errorf("safe %v, want %d", safe, cdc.NoLimit)
	}
	if lag := p.gauge(t, "hooktail_stream_lag_seconds"); lag > time.Minute.Seconds() {
		t.Errorf("the stream is %v s behind", lag)
	}
}

// gauge is the value of a metric without labels, -9 if it is absent.
func (p *program) gauge(t *testing.T, name string) float64 {
	t.Helper()
	_, metrics := p.get(t, "/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(metrics)
	if m == nil {
		return -9
	}
	value, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

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
# HELP hooktail_slot_lag_bytes WAL from what is confirmed to the end of the database's WAL. Absent while the database has not answered for 30s.
# TYPE hooktail_slot_lag_bytes gauge
hooktail_slot_lag_bytes 600
# HELP hooktail_slot_retained_bytes WAL that the database keeps for the slot. Absent while the database has not answered for 30s.
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
	log := proctest.NewOutput()
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

// TestStreamLag: what is known to have been read counts, and a message that does
// not come back.
func TestStreamLag(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, test := range []struct {
		name string
		beat *heartbeat
		want time.Duration // at least, and little more
	}{
		{"nothing was read yet", &heartbeat{began: ago(time.Minute), sent: ago(time.Minute)}, time.Minute},
		{"catching up on the first connection", &heartbeat{began: ago(time.Minute), sent: ago(5 * time.Second), commit: ago(time.Hour)}, time.Hour},
		{"quiet, all came back", &heartbeat{began: ago(time.Hour), sent: time.Unix(1, 0), back: time.Unix(1, 0), commit: ago(time.Hour), trip: time.Millisecond}, time.Millisecond},
		{"one is under way", &heartbeat{sent: ago(time.Second), back: ago(6 * time.Second), commit: ago(time.Hour)}, 6 * time.Second},
		{"one is under way behind commits", &heartbeat{sent: ago(50 * time.Second), back: ago(55 * time.Second), commit: ago(20 * time.Second)}, 20 * time.Second},
		{"the database's clock is ahead", &heartbeat{sent: ago(time.Second), commit: ago(-time.Hour)}, 0},
		{"the clock was set back", &heartbeat{sent: ago(time.Hour), back: ago(time.Minute)}, time.Minute},
	} {
		if got := test.beat.lag(); got < test.want || got > test.want+10*time.Second {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
