//go:build long

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// The extremes of the types of hooktail's own columns, as SQL.
var (
	extremeNumbers = []string{"0", "-1", "2147483647", "-2147483648"}
	extremeIDs     = append([]string{"9223372036854775807", "-9223372036854775808"}, extremeNumbers...)
	extremeTimes   = []string{"'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31'", "'10000-01-01'"}
	extremeTexts   = []string{"''", "repeat('ä', 100000)", `E'\x01\n\uFFFE'`}
	extremeBodies  = []string{"''", `'\x00ff'`, "convert_to(repeat('x', 3000000), 'UTF8')"}
	extremeLSNs    = []string{"'0/0'", "'FFFFFFFF/FFFFFFFF'", "'FFFFFFFF/FFFFFFFE'"}
	extremeNames   = []string{"ARRAY[NULL]::text[]", "ARRAY['']", "ARRAY[ARRAY['a'], ARRAY['TASK_CREATED']]", "ARRAY[repeat('ä', 100000)]"}
	extremeSecrets = []string{"ARRAY[NULL]::bytea[]", "ARRAY[''::bytea]", "ARRAY[ARRAY['a'::bytea], ARRAY['b'::bytea]]", `ARRAY['\x01'::bytea, '\x0102030405'::bytea]`}
)

// column is one of a table of hooktail's, with what anybody may write into it.
type column struct {
	name    string
	extreme []string
}

// ownRows are rows of the table for the hook, each with an extreme value in one column.
func ownRows(table string, hook int, good map[string]string, columns []column) []string {
	names := make([]string, 0, len(good))
	for name := range good {
		names = append(names, name)
	}
	slices.Sort(names)
	var statements []string
	for i, c := range columns {
		for j, extreme := range c.extreme {
			values := make([]string, len(names))
			for k, name := range names {
				switch name {
				case c.name:
					values[k] = extreme
				case "hook_id":
					values[k] = fmt.Sprint(hook)
				case "ordinal":
					values[k] = fmt.Sprint(i*100 + j)
				default:
					values[k] = good[name]
				}
			}
			statements = append(statements, fmt.Sprintf("INSERT INTO hooktail.%s (%s) VALUES (%s) ON CONFLICT DO NOTHING", table, strings.Join(names, ", "), strings.Join(values, ", ")))
		}
	}
	return statements
}

// parkedExtremes are rows of parked, waiting or dead.
func parkedExtremes(hook int, dead bool) []string {
	good := map[string]string{
		"hook_id": "", "commit_lsn": "'0/1'", "ordinal": "", "timeline": "1", "event_id": "'x'", "action": "'TASK_CREATED'", "project_id": "2", "task_id": "1",
		"committed_at": "now()", "body": "'{}'", "bytes": "2", "attempts": "0", "added_at": "now()", "parked_at": "now()", "next_attempt_at": "NULL",
		"last_result": "''", "last_status": "0", "reason": "''", "redriven": "false", "state": "'parked'", "dead_at": "NULL",
	}
	columns := []column{
		{"commit_lsn", extremeLSNs},
		{"ordinal", extremeNumbers},
		{"timeline", extremeNumbers},
		{"event_id", extremeTexts},
		{"action", extremeTexts},
		{"project_id", extremeIDs},
		{"task_id", extremeIDs},
		{"committed_at", extremeTimes},
		{"body", extremeBodies},
		{"bytes", extremeNumbers},
		{"attempts", extremeNumbers},
		{"added_at", extremeTimes},
		{"parked_at", extremeTimes},
		{"next_attempt_at", extremeTimes},
		{"last_result", extremeTexts},
		{"last_status", extremeNumbers},
		{"reason", extremeTexts},
		{"redriven", []string{"true"}},
	}
	if dead {
		good["state"], good["dead_at"], good["commit_lsn"] = "'dead'", "now()", "'0/2'"
		columns = append(columns, column{"dead_at", extremeTimes})
	}
	return ownRows("parked", hook, good, columns)
}

// settingExtremes are rows of hook_setting for as many hooks as there are extremes, from
// the first on.
func settingExtremes(first int) []string {
	good := map[string]string{
		"hook_id": "", "adopted": "true", "paused": "false", "suspended_at": "NULL", "suspended_lsn": "NULL", "secrets": "'{}'", "changed_at": "now()", "retry_at": "NULL", "gone_at": "NULL", "held_until": "NULL",
		"events_added": "NULL", "events_removed": "NULL", "filter": "NULL", "rate": "NULL", "format": "NULL",
	}
	rows := ownRows("hook_setting", 0, good, []column{
		{"hook_id", extremeIDs},
		{"secrets", extremeSecrets},
		{"changed_at", extremeTimes},
		{"retry_at", extremeTimes},
		{"gone_at", extremeTimes},
		{"held_until", extremeTimes},
		{"events_added", extremeNames},
		{"events_removed", extremeNames},
		{"filter", extremeTexts},
		{"rate", extremeTexts},
		{"format", extremeTexts},
	})
	good["suspended_at"], good["suspended_lsn"] = "now()", "'0/1'"
	rows = append(rows, ownRows("hook_setting", 0, good, []column{{"suspended_at", extremeTimes}, {"suspended_lsn", extremeLSNs}})...)
	for i := range rows {
		rows[i] = strings.Replace(rows[i], ", 0,", fmt.Sprintf(", %d,", first+i), 1)
	}
	return rows
}

// TestHostileStateRows: whatever anybody has written into hooktail's own tables, before
// the start or while it runs, it runs, and hooks get what is new for them.
func TestHostileStateRows(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(map[bool]string{false: "before the start", true: "while it runs"}[running], func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			r := tenHooks(t, db)
			setUpOnce(t, db)
			var p *program
			write := func() {
				for _, rows := range [][]string{parkedExtremes(1, false), parkedExtremes(1, true), parkedExtremes(99, false), settingExtremes(3), settingExtremes(1000)} {
					for _, row := range rows {
						db.Exec(t, row)
					}
				}
				db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, changed_at, retry_at, gone_at) VALUES (2, '-infinity', 'infinity', '-infinity') ON CONFLICT DO NOTHING")
			}
			if running {
				p = start(t, db, "HOOKTAIL_SETTLE=0")
				write()
				db.Exec(t, "NOTIFY hooktail_parked, 'hooktail'")
			} else {
				write()
				p = start(t, db, "HOOKTAIL_SETTLE=0")
			}
			arrives := func(when string) {
				t.Helper()
				for _, hook := range []int{1, 2} {
					before := len(accepted(r, hook))
					want := db.QueryText(t, annotate, 7)
					proctest.WaitFor(t, func() error {
						select {
						case <-p.ended:
							t.Fatalf("%s: it has ended with exit code %d:\n%s", when, p.code, p.err)
						default:
						}
						for _, body := range accepted(r, hook)[before:] {
							if strings.Contains(body, `"id": `+want+`,`) || strings.Contains(body, `"id":`+want+`,`) {
								return nil
							}
						}
						return fmt.Errorf("%s: hook %d does not get annotation %s", when, hook, want)
					})
				}
			}
			arrives("with the rows")
			must(t, proctest.RoleEnviron(db), "deliveries", "redrive", "--all")
			must(t, proctest.RoleEnviron(db), "deliveries", "list", "--limit", "0", "--json")
			arrives("redriven")
			for _, statement := range []string{
				"TRUNCATE hooktail.parked", "TRUNCATE hooktail.hook_setting", "TRUNCATE hooktail.identity", "DELETE FROM hooktail.position WHERE slot <> $1",
			} {
				args := []any{db.Name}[:strings.Count(statement, "$1")]
				db.Exec(t, statement, args...)
				arrives(statement)
			}
		})
	}
}
