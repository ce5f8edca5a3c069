package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

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
