//go:build long

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// BenchmarkProjectCounts is 20 seconds of 50 annotations a second in a project of
// a million tasks, with the program as it runs in production, that is, with the
// bound on the cost of counting; and without the bound; and without counting. It
// reports
//
//	core-%        CPU time of hooktail's sessions of the database (without the
//	              walsender), in percent of one core
//	counting-%    of that, what counting takes: what is more than without it
//	counts        queries that counted
//	stale-ms      how long ago, when a payload arrived, the first annotation was
//	              committed that its eightCounts do not show: median
//	stale-max-ms  the most
//	last-lacks    annotations that the last payload's eightCounts do not show
//
// CPU times are those of Linux. Run it with -bench=ProjectCounts -benchtime=1x.
func BenchmarkProjectCounts(b *testing.B) {
	s := cdctest.Private(b, throwaway.Options{Settings: map[string]string{"shared_buffers": "1GB", "max_wal_size": "8GB"}})
	db := s.LabelStudio(b)
	db.Exec(b, million)
	for _, table := range []string{"task", "task_completion", "prediction"} {
		db.Exec(b, "VACUUM ANALYZE "+table)
	}
	never := 0.0
	for _, bound := range []struct {
		name  string
		share float64
	}{{"never", 1e-6}, {"production", 0}, {"always", 1}} {
		b.Run("counting="+bound.name, func(b *testing.B) {
			core := benchmarkCounts(b, db, bound.share)
			if bound.name == "never" {
				never = core
			}
			b.ReportMetric(core-never, "counting-%")
		})
	}
}

// benchmarkCounts returns the percentage of a core. The first annotation is not
// measured: it is counted always.
func benchmarkCounts(b *testing.B, db *cdctest.Database, share float64) (core float64) {
	b.Helper()
	l := &load{db: db, counted: count(b, db, bigProject)["total_annotations_number"]}
	hook := httptest.NewServer(l)
	defer hook.Close()
	db.Exec(b, "UPDATE webhook SET url = $1", hook.URL)
	counts := countQueries(b, db) + 1
	stop := startCounting(b, db, share)
	l.run(b, 1)
	before, began := cpuTime(b, db), time.Now()
	for b.Loop() {
		l.run(b, 1000)
	}
	core = 100 * (cpuTime(b, db) - before).Seconds() / time.Since(began).Seconds()
	stop()
	ages := l.ages()
	b.ReportMetric(core, "core-%")
	b.ReportMetric(float64(countQueries(b, db)-counts), "counts")
	b.ReportMetric(ages[len(ages)/2].Seconds()*1000, "stale-ms")
	b.ReportMetric(ages[len(ages)-1].Seconds()*1000, "stale-max-ms")
	b.ReportMetric(float64(l.lacking()), "last-lacks")
	b.ReportMetric(0, "ns/op") // the load sets the pace
	return core
}

// bigProject has, by million, 1,000,000 tasks, 300,000 annotations of 250,000 of
// them and 200,000 predictions. Indexes are made afterwards, which is quicker.
const bigProject = 2

const million = `
SET session_replication_role = replica; -- no foreign keys
SET maintenance_work_mem = '512MB';
CREATE TEMPORARY TABLE later AS
	SELECT format('DROP INDEX %s', indexrelid::regclass) AS remove, pg_get_indexdef(indexrelid) AS make FROM pg_index
	WHERE indrelid IN ('task'::regclass, 'task_completion'::regclass, 'prediction'::regclass) AND NOT indisunique;
DO 'DECLARE sql text; BEGIN FOR sql IN SELECT remove FROM later LOOP EXECUTE sql; END LOOP; END';
INSERT INTO task (id, data, meta, created_at, updated_at, is_labeled, project_id, overlap, total_annotations,
		cancelled_annotations, total_predictions, comment_count, unresolved_comment_count, inner_id)
	SELECT 1000000 + i, jsonb_build_object('text', repeat(md5(i::text), 4)), '{}', now(), now(), i % 4 = 0, 2, 1, 0, 0, 0, 0, 0, i
	FROM generate_series(1, 1000000) i;
INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created, unique_id)
	SELECT jsonb_build_array(jsonb_build_object('id', md5(i::text), 'type', 'choices', 'value', '{"choices": ["Positive"]}'::jsonb)),
		1000001 + i % 250000, 2, 1, 1, i % 20 = 0, i % 50 = 1, now(), now(), '{}', 1, false, gen_random_uuid()
	FROM generate_series(0, 299999) i;
INSERT INTO prediction (result, score, created_at, updated_at, task_id, mislabeling, project_id)
	SELECT '[]', 0.5, now(), now(), 1000000 + i, 0, 2 FROM generate_series(1, 200000) i;
DO 'DECLARE sql text; BEGIN FOR sql IN SELECT make FROM later LOOP EXECUTE sql; END LOOP; END'`

// load annotates the big project and receives what the hooks are told of it.
type load struct {
	db      *cdctest.Database
	counted int64 // before the first annotation of the load

	mu        sync.Mutex
	committed []time.Time // one annotation after the other
	told      []showing
}

// showing is what a payload said when it arrived.
type showing struct {
	at      time.Time
	counted int64
}

// run makes n annotations, 50 a second, as Label Studio does: its row in one
// transaction, its task's in another. Then it waits until all are delivered.
func (l *load) run(b *testing.B, n int) {
	b.Helper()
	ctx, conn := context.Background(), l.db.Connect(b)
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	for range n {
		task := 1000001 + len(l.committed)*7919%1000000
		<-tick.C
		if _, err := conn.Exec(ctx, annotate, task); err != nil {
			b.Fatalf("annotate: %v", err)
		}
		l.mu.Lock()
		l.committed = append(l.committed, time.Now())
		l.mu.Unlock()
		if _, err := conn.Exec(ctx, "UPDATE task SET is_labeled = true, total_annotations = total_annotations + 1 WHERE id = $1", task); err != nil {
			b.Fatalf("label task: %v", err)
		}
	}
	for deadline := time.Now().Add(patient); !l.complete(); {
		if time.Now().After(deadline) {
			b.Fatal("not all annotations were delivered")
		}
		<-tick.C
	}
}

func (l *load) complete() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.told) >= len(l.committed)
}

// ServeHTTP is the hook.
func (l *load) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	var body struct {
		Project struct {
			Counted int64 `json:"total_annotations_number"`
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, showing{at, body.Project.Counted})
}

// ages are how long ago, at the arrival of each payload, the first annotation was
// committed that its eightCounts do not show; sorted.
func (l *load) ages() []time.Duration {
	var ages []time.Duration
	for _, told := range l.told {
		age := time.Duration(0)
		if shown := int(told.counted - l.counted); shown < len(l.committed) {
			age = max(0, told.at.Sub(l.committed[shown]))
		}
		ages = append(ages, age)
	}
	slices.Sort(ages)
	return ages
}

// lacking is how many annotations the eightCounts of the last payload do not show.
// The last annotation's may have come before another one; its eightCounts are the
// highest all the same.
func (l *load) lacking() int {
	most := slices.MaxFunc(l.told, func(a, b showing) int { return cmp.Compare(a.counted, b.counted) })
	return len(l.committed) - int(most.counted-l.counted)
}

// countQueries is how often the predictions have been read, which hooktail does
// for nothing but counting. Sessions that still live may not have told all.
func countQueries(b *testing.B, db *cdctest.Database) int {
	b.Helper()
	for deadline := time.Now().Add(patient); db.QueryText(b, "SELECT pid FROM "+sessions) != ""; {
		if time.Now().After(deadline) {
			b.Fatal("hooktail's sessions do not end")
		}
	}
	text := db.QueryText(b, "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'prediction'")
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("read statistics of table prediction: %v", err)
	}
	return n
}

// sessions are those that hooktail reads rows with.
const sessions = `pg_stat_activity
	WHERE application_name = 'hooktail' AND backend_type = 'client backend' AND datname = current_database()`

// cpuTime is what hooktail's sessions have used of the processor so far.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func cpuTime(b *testing.B, db *cdctest.Database) time.Duration {
	b.Helper()
	const tick = time.Second / 100 // USER_HZ
	var sum time.Duration
	pids := db.QueryText(b, "SELECT string_agg(pid::text, ' ') FROM "+sessions)
	for _, pid := range strings.Fields(pids) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
		if err != nil {
			b.Fatalf("read CPU time of session %s: %v", pid, err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // behind the name
		fields := strings.Fields(rest)
		for _, field := range fields[11:13] { // utime, stime
			ticks, err := strconv.Atoi(field)
			if err != nil {
				b.Fatalf("read CPU time of session %s: %v", pid, err)
			}
			sum += time.Duration(ticks) * tick
		}
	}
	return sum
}
