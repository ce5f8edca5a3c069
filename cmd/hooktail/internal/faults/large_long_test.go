//go:build long

package faults

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// census is a receiver that counts: which ordinals of a transaction have come,
// and the ids in the bodies. It keeps no body.
type census struct {
	mu       sync.Mutex
	seen     []uint64 // a bit for each ordinal
	distinct int
	ids      int // in the bodies, those of repeated requests left out
	largest  int // body
}

// counted points the only hook of the database at a census.
func counted(t testing.TB, db *cdctest.Database) *census {
	t.Helper()
	c := &census{}
	onlyHook(t, db, c)
	return c
}

// onlyHook serves the handler, and makes it the receiver of the only hook of the database,
// which is for all actions of project 1.
func onlyHook(t testing.TB, db *cdctest.Database, receiver http.Handler) {
	t.Helper()
	server := httptest.NewServer(receiver)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		VALUES (1, $1, 1, 1, true, true, '{}', true, now() - interval '1 day', now())`, server.URL)
}

var idKey = []byte(`{"id": `)

// ServeHTTP counts one request. The elements of its list begin with their ids.
func (c *census) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	at, placeErr := parsePlace(r.Header.Get("webhook-id"))
	if err != nil || placeErr != nil {
		return
	}
	if project := bytes.LastIndex(body, []byte(`"project": {"id"`)); project > 0 {
		body = body[:project]
	}
	n := bytes.Count(body, idKey)
	c.mu.Lock()
	defer c.mu.Unlock()
	word, bit := at.ordinal/64, uint64(1)<<(at.ordinal%64)
	for len(c.seen) <= word {
		c.seen = append(c.seen, 0)
	}
	if c.seen[word]&bit == 0 {
		c.seen[word] |= bit
		c.distinct++
		c.ids += n
	}
	c.largest = max(c.largest, len(body))
}

// arrived is how many events have come.
func (c *census) arrived() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.distinct
}

// reset begins to count anew, for another transaction.
func (c *census) reset() (distinct, ids, largest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	distinct, ids, largest = c.distinct, c.ids, c.largest
	c.seen, c.distinct, c.ids, c.largest = nil, 0, 0, 0
	return distinct, ids, largest
}

const insertTasks = `INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
		total_predictions, comment_count, unresolved_comment_count)
	SELECT jsonb_build_object('text', 'task ' || g), now(), now(), false, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, $1::int) g`

// TestLargeTransactionBoundedMemory: a large transaction takes no more memory than one
// of ten thousand rows, the connection lives all the while, and the metrics show that
// it goes on.
func TestLargeTransactionBoundedMemory(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		largeTransaction(t, route, 100_000)
	})
}

// largeTransaction inserts so many tasks in one transaction.
func largeTransaction(t *testing.T, route proctest.Route, large int) {
	t.Helper()
	const small = 10_000
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	c := counted(t, db)
	log := route.Log(t)
	p := programs(log.Run(t, db, "HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_TIMEOUT=30s"))
	for range 3 { // what it takes to be warm
		db.Exec(t, insertTasks, small)
		log.Delivered(t, db)
		if distinct, ids, _ := c.reset(); distinct != small || ids != small {
			t.Fatalf("%d events and %d tasks arrived of a transaction of %d", distinct, ids, small)
		}
	}
	before := p.peak(t)

	db.Exec(t, insertTasks, large)
	begun := time.Now()
	progress, silent := watched(t, p, log, db, c, large)
	after := p.peak(t)
	t.Logf("%d tasks in %s; peak %d MiB, %d MiB of %d tasks; %d different counts seen; the server was without a word for %s at most",
		large, time.Since(begun).Round(time.Second), after>>20, before>>20, small, progress, silent)
	if distinct, ids, _ := c.reset(); distinct != large || ids != large {
		t.Errorf("%d events and %d tasks arrived of a transaction of %d", distinct, ids, large)
	}
	if float64(after) > 1.3*float64(before) {
		t.Errorf("peak memory is %d MiB, more than 1.3 times %d MiB", after>>20, before>>20)
	}
	if progress < 5 {
		t.Errorf("%d different counts in the metrics", progress)
	}
	if silent > 20*time.Second {
		t.Errorf("the server has not heard of the program for %s, of the 30 s after which it gives it up", silent)
	}
	if _, metrics := p.reader().Get(t, "/metrics"); value(metrics, "hooktail_reconnects_total") != "0" {
		t.Errorf("reconnects = %s", value(metrics, "hooktail_reconnects_total"))
	}
}

// watched waits until the events have arrived and are confirmed, however long that
// takes as long as they come. It returns how many different counts of deliveries
// the metrics showed meanwhile, and for how long at most the server had no word
// from the program.
func watched(t testing.TB, p programs, log *proctest.Log, db *cdctest.Database, c *census, events int) (progress int, silent time.Duration) {
	t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	counts := make(map[string]bool)
	latest, moved := 0, time.Now()
	for latest < events {
		<-tick.C
		switch n := c.arrived(); {
		case n > latest:
			latest, moved = n, time.Now()
		case time.Since(moved) > proctest.Patience:
			t.Fatalf("%d of %d events have arrived, and no more come", latest, events)
		}
		_, metrics := p.sender().Get(t, "/metrics")
		counts[value(metrics, `hooktail_deliveries_total{action="TASK_CREATED",hook="1",outcome="delivered"}`)] = true
		ms, err := strconv.ParseFloat(db.QueryText(t, `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - reply_time) * 1000), 0)
			FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = $1`, db.Name), 64)
		if err != nil {
			t.Fatalf("read when the server heard of the program: %v", err)
		}
		silent = max(silent, time.Duration(ms)*time.Millisecond)
	}
	log.Delivered(t, db)
	return len(counts), silent
}
