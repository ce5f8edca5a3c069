//go:build long

package state_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// values are what a column of a type may have, as SQL, the extremes among them.
func values(kind string) *rapid.Generator[string] {
	of := func(list ...string) *rapid.Generator[string] { return rapid.SampledFrom(list) }
	text := rapid.Map(rapid.StringN(0, 40, 200), func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), "'", "''") + "'"
	})
	switch kind {
	case "bigint":
		return rapid.OneOf(of("0", "1", "-1", "9223372036854775807", "-9223372036854775808"), rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprintf("'%d'", n) }))
	case "integer":
		return rapid.OneOf(of("0", "1", "-1", "2147483647", "-2147483648"), rapid.Map(rapid.Int32(), func(n int32) string { return fmt.Sprintf("'%d'", n) }))
	case "pg_lsn":
		return of("'0/0'", "'0/1'", "'16/B374D848'", "'FFFFFFFF/FFFFFFFF'", "'FFFFFFFF/FFFFFFFE'")
	case "timestamptz":
		return of("now()", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'", "'0001-01-01'", "'10000-01-01'", "'epoch'")
	case "text":
		return rapid.OneOf(of("''", "repeat('ä', 10000)", `E'\x01\uFFFE\n'`), text)
	case "bytea":
		return of("''", `'\x00'`, `'\xff00'`, "convert_to(repeat('x', 1000000), 'UTF8')", "'{}'")
	case "boolean":
		return rapid.OneOf(of("true", "false"))
	case "texts":
		return of("'{}'", "ARRAY[NULL]::text[]", "ARRAY['', 'A']", "ARRAY[ARRAY['a'], ARRAY['b']]", `'[5:6]={"x,","\\"}'::text[]`)
	case "secrets":
		return of("'{}'", "ARRAY[NULL]::bytea[]", "ARRAY[''::bytea, NULL]", "ARRAY[ARRAY['a'::bytea], ARRAY['b'::bytea]]", `'[5:6]={"\\x01","\\x02"}'::bytea[]`)
	}
	panic(kind)
}

func null(g *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just("NULL"), g)
}

// hostile is rows of the tables that nothing but the columns' types bounds.
func hostile(r *rapid.T) []string {
	var statements []string
	for range rapid.IntRange(0, 6).Draw(r, "parked") {
		dead := rapid.Bool().Draw(r, "dead")
		state, died := "'parked'", "NULL"
		if dead {
			state, died = "'dead'", values("timestamptz").Draw(r, "dead_at")
		}
		v := func(kind, name string) string { return values(kind).Draw(r, name) }
		statements = append(statements, fmt.Sprintf(`INSERT INTO {}.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes,
				attempts, added_at, parked_at, next_attempt_at, last_result, last_status, reason, redriven, state, dead_at)
			VALUES (%s) ON CONFLICT DO NOTHING`, strings.Join([]string{
			rapid.SampledFrom([]string{"7", "7", "0", "-9223372036854775808"}).Draw(r, "hook"), v("pg_lsn", "commit"), v("integer", "ordinal"), v("integer", "timeline"),
			v("text", "event"), v("text", "action"), v("bigint", "project"), v("bigint", "task"), v("timestamptz", "committed"), v("bytea", "body"), v("integer", "bytes"),
			v("integer", "attempts"), v("timestamptz", "added"), v("timestamptz", "parked"), null(values("timestamptz")).Draw(r, "next"), v("text", "result"), v("integer", "status"),
			v("text", "reason"), v("boolean", "redriven"), state, died,
		}, ", ")))
	}
	for range rapid.IntRange(0, 3).Draw(r, "settings") {
		suspended, from := "NULL", "NULL"
		if rapid.Bool().Draw(r, "suspended") {
			suspended, from = values("timestamptz").Draw(r, "since"), values("pg_lsn").Draw(r, "from")
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO {}.hook_setting (hook_id, adopted, paused, suspended_at, suspended_lsn, secrets, changed_at, retry_at, gone_at, events_added, filter)
			VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING`, values("bigint").Draw(r, "hook"), values("boolean").Draw(r, "adopted"), values("boolean").Draw(r, "paused"),
			suspended, from, values("secrets").Draw(r, "secrets"), values("timestamptz").Draw(r, "changed"), null(values("timestamptz")).Draw(r, "retry"), null(values("timestamptz")).Draw(r, "gone"),
			null(values("texts")).Draw(r, "added"), null(values("text")).Draw(r, "filter")))
	}
	return statements
}

// TestHostileRows: whatever the columns' types allow is in the tables, the store can be
// used: each of its methods comes to an end without an error, and a good row beside the
// others is found.
func TestHostileRows(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	ctx := t.Context()
	rapid.Check(t, func(r *rapid.T) {
		db.Exec(t, `TRUNCATE "Hook""tail".parked, "Hook""tail".hook_setting`)
		for _, statement := range hostile(r) {
			db.Exec(t, strings.ReplaceAll(statement, "{}.", `"Hook""tail".`))
		}
		must := func(what string, err error) {
			r.Helper()
			if err != nil {
				r.Fatalf("%s: %v", what, err)
			}
		}
		good := delivery(7, 1000) // whose key nobody else has
		must("park", store.Apply(ctx, state.Batch{Insert: []state.Row{good}}))
		_, err := store.Settings(ctx)
		must("settings", err)
		backlogs, err := store.Backlogs(ctx)
		must("backlogs", err)
		for _, b := range backlogs {
			if b.Parked.Bytes < 0 || b.Dead.Bytes < 0 {
				r.Errorf("backlog %+v", b)
			}
			found, after := 0, mapping.ID{}
			for {
				rows, err := store.Tail(ctx, state.Part{Hook: b.Hook, After: after, Rows: 2})
				must("tail", err)
				if len(rows) == 0 {
					break
				}
				for i := range rows {
					after = rows[i].Event
					if rows[i].Key == good.Key {
						found++
					}
					again := state.Attempt{Key: rows[i].Key, Attempts: rows[i].Attempts + 1, Next: rows[i].Next, LastResult: rows[i].LastResult}
					must("update", store.Apply(ctx, state.Batch{Update: []state.Attempt{again}}))
					if _, err := json.Marshal([]time.Time{rows[i].Committed, rows[i].Added, rows[i].Stored, rows[i].Next, rows[i].Died}); err != nil {
						r.Errorf("a time that cannot be printed: %v", err)
					}
				}
				_, err = store.Bodies(ctx, b.Hook, []mapping.ID{after})
				must("bodies", err)
			}
			if b.Hook == 7 && found != 1 {
				r.Errorf("the good row was read %d times", found)
			}
			_, err = store.Trim(ctx, b.Hook, 1000)
			must("trim", err)
			must("suspend", store.Suspend(ctx, b.Hook, good.Event))
			must("retry", store.Retry(ctx, b.Hook))
			must("resume", store.Resume(ctx, b.Hook))
		}
		rows, err := store.List(ctx, state.Filter{})
		must("list", err)
		for i := range rows {
			_, err = store.Show(ctx, 0, rows[i].Event)
			must("show", err)
		}
		_, err = store.Redrive(ctx, state.Filter{}, false)
		must("redrive", err)
		for range 20 {
			rows, err := store.Redriven(ctx, 2)
			must("redriven", err)
			var keys []state.Key
			for i := range rows {
				keys = append(keys, rows[i].Key)
			}
			must("taken", store.Taken(ctx, keys))
		}
		if rows, err := store.Redriven(ctx, 1); err != nil || len(rows) != 0 {
			r.Errorf("redriven for ever: %+v, %v", rows, err)
		}
		_, err = store.Expire(ctx, time.Hour)
		must("expire", err)
		_, err = store.Prune(ctx, []int64{7}, time.Hour)
		must("prune", err)
		if rows, err = store.List(ctx, state.Filter{Hook: 7}); err != nil {
			r.Fatal(err)
		}
		for i := range rows {
			if rows[i].State == state.Parked {
				must("bury", store.Apply(ctx, state.Batch{Bury: []state.Attempt{{Key: rows[i].Key, Attempts: rows[i].Attempts, Reason: "exhausted", Bodiless: i%2 == 0}}}))
			}
		}
		_, err = store.Discard(ctx, state.Filter{}, false)
		must("discard", err)
	})
}
