//go:build long

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// unbearable are settings with which nobody can connect, or no server can decode: they
// are no more than that in ALTER ROLE and ALTER DATABASE.
var unbearable = map[string]string{
	"local_preload_libraries":   "the session ends where a library is missing",
	"session_preload_libraries": "the session ends where a library is missing",
	"dynamic_library_path":      "the server does not find pgoutput, and only a superuser may say where it is",
	"log_statement_stats":       "cannot be on with those of its parts",
	"log_parser_stats":          "cannot be on with log_statement_stats",
	"log_planner_stats":         "cannot be on with log_statement_stats",
	"log_executor_stats":        "cannot be on with log_statement_stats",
}

// oddTexts are values of settings that are texts, by name; others get those of "".
var oddTexts = map[string][]string{
	"":                {"", "evil", "0", "on"},
	"search_path":     {"evil, public, pg_catalog", `""`},
	"client_encoding": {"LATIN1", "SJIS", "SQL_ASCII", "EUC_JP"},
	"timezone":        {"Pacific/Chatham", "America/St_Johns"},
	"datestyle":       {"German, DMY", "SQL, MDY", "Postgres, YMD"},
	"lc_monetary":     {"C.UTF-8", "POSIX"},
	"lc_numeric":      {"C.UTF-8", "POSIX"},
	"lc_time":         {"C.UTF-8", "POSIX"},
}

// hostile is a setting with its most hostile values.
type hostile struct {
	name   string
	values []string
}

// hostileSettings are all settings of the server that a role may have, whatever they
// are: both ends of numbers, every choice, both switches, odd texts. Values that
// ALTER DATABASE refuses are left out.
func hostileSettings(t *testing.T, conn *pgx.Conn) []hostile {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT name, vartype, coalesce(min_val, ''), coalesce(max_val, ''), coalesce(enumvals, '{}'), setting
		FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY lower(name)`)
	if err != nil {
		t.Fatal(err)
	}
	var all []hostile
	var name, kind, least, most, is string
	var choices []string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind, &least, &most, &choices, &is}, func() error {
		if unbearable[name] != "" {
			return nil
		}
		h := hostile{name: name}
		switch kind {
		case "bool":
			h.values = []string{"on", "off"}
		case "enum":
			h.values = slices.Clone(choices)
		case "string":
			values, of := oddTexts[strings.ToLower(name)]
			if !of {
				values = oddTexts[""]
			}
			h.values = slices.Clone(values)
		default:
			h.values = []string{least, most}
			if least == "0" {
				h.values = append(h.values, "1") // 0 is off for many
			}
		}
		all = append(all, h)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].values = slices.DeleteFunc(all[i].values, func(value string) bool {
			return set(t, conn, all[i].name, value, false) != nil
		})
	}
	forget(t, conn)
	all = slices.DeleteFunc(all, func(h hostile) bool { return len(h.values) == 0 })
	if len(all) < 150 {
		t.Fatalf("%d settings", len(all))
	}
	return all
}

// set sets it for the database, or for the role in it.
func set(t *testing.T, conn *pgx.Conn, name, value string, role bool) error {
	t.Helper()
	of := "ALTER DATABASE " + pgx.Identifier{conn.Config().Database}.Sanitize()
	if role {
		of = "ALTER ROLE hooktail IN DATABASE " + pgx.Identifier{conn.Config().Database}.Sanitize()
	}
	constant := "'" + strings.ReplaceAll(value, "'", "''") + "'"
	if strings.EqualFold(name, "search_path") {
		constant = value // a list of names
	}
	_, err := conn.Exec(t.Context(), of+" SET "+pgx.Identifier{name}.Sanitize()+" = "+constant, pgx.QueryExecModeSimpleProtocol)
	return err
}

// forget takes back what set has set.
func forget(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	database := pgx.Identifier{conn.Config().Database}.Sanitize()
	for _, sql := range []string{
		"ALTER DATABASE " + database + " RESET ALL",
		"DO $$BEGIN ALTER ROLE hooktail IN DATABASE " + database + " RESET ALL; EXCEPTION WHEN undefined_object THEN END$$", // before any setup
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSessionsInheritNothing: whatever the role or the database has set for itself, an
// event arrives with the same body. All settings are hostile at once, with another of
// their values in each round, half of them for the database and half for the role.
func TestSessionsInheritNothing(t *testing.T) {
	t.Parallel()
	s := newSettingsTest(t)
	all := hostileSettings(t, s.conn)
	rounds := 0
	for _, h := range all {
		rounds = max(rounds, len(h.values))
	}
	for round := range rounds {
		// Those that have no other value are left to the rounds in which they have.
		some := slices.DeleteFunc(slices.Clone(all), func(h hostile) bool { return round >= 2 && round >= len(h.values) })
		if err := s.round(t, some, round); err != nil {
			name, err := s.blame(t, some, round, err)
			t.Errorf("%s = %q: %v", name.name, name.values[round%len(name.values)], err)
		}
	}
	t.Logf("%d settings in %d rounds", len(all), rounds)
}

// settingsTest is a database whose one hook wants everything.
type settingsTest struct {
	db   *cdctest.Database
	conn *pgx.Conn // made before any setting was hostile
	got  *conformance.Collector
	want []byte // the body of the event
}

func newSettingsTest(t *testing.T) *settingsTest {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	s := &settingsTest{db: db, conn: db.Connect(t), got: &conformance.Collector{}}
	point(t, db, s.got)
	db.Exec(t, "UPDATE webhook SET is_active = id = 1")
	for _, table := range []string{"project", "task", "task_completion"} {
		db.Exec(t, `ALTER TABLE `+table+` ADD h_interval interval DEFAULT '1 year 2 mons -3 days 04:05:06.789', ADD h_bytes bytea DEFAULT '\x00ff27',
			ADD h_double float8 DEFAULT 0.1::float8 + 0.2::float8, ADD h_real float4 DEFAULT 0.1, ADD h_time timestamptz DEFAULT '2025-06-07 08:09:10.111+00',
			ADD h_date date DEFAULT '2026-02-03', ADD h_money money DEFAULT 1234.56, ADD h_text text DEFAULT 'Citroën \ ''ñ''', ADD h_xml xml DEFAULT '<a/>',
			ADD h_array text[] DEFAULT ARRAY[NULL, 'NULL', 'a"b'], ADD h_class regclass DEFAULT 'public.project'::regclass, ADD h_null text DEFAULT NULL`)
	}
	setUpOnce(t, db)
	var err error
	if s.want, err = s.event(t); err != nil {
		t.Fatal(err)
	}
	return s
}

// round makes one of the values of each setting the role's or the database's.
func (s *settingsTest) round(t *testing.T, settings []hostile, round int) error {
	t.Helper()
	defer forget(t, s.conn)
	for i, h := range settings {
		if err := set(t, s.conn, h.name, h.values[round%len(h.values)], (i+round)%2 == 0); err != nil {
			return err
		}
	}
	got, err := s.event(t)
	if err == nil && !bytes.Equal(got, s.want) {
		i := 0
		for i < min(len(got), len(s.want)) && got[i] == s.want[i] {
			i++
		}
		err = fmt.Errorf("the body is …%.200s\nwant …%.200s", got[max(0, i-50):], s.want[max(0, i-50):])
	}
	return err
}

// blame finds the setting that an error is due to, or one of them.
func (s *settingsTest) blame(t *testing.T, settings []hostile, round int, err error) (hostile, error) {
	t.Helper()
	for len(settings) > 1 {
		half := settings[:len(settings)/2]
		if fault := s.round(t, half, round); fault != nil {
			settings, err = half, fault
		} else {
			settings = settings[len(settings)/2:]
		}
	}
	return settings[0], err
}

// event starts the program, updates an annotation and returns the body that arrives.
func (s *settingsTest) event(t *testing.T) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	out := proctest.NewOutput()
	a := &app{
		stdout: io.Discard, stderr: out, environ: proctest.RoleEnviron(s.db, "HOOKTAIL_SETTLE=0"),
		Tuning: relay.Tuning{Guest: true, StatusInterval: 10 * time.Millisecond, CountShare: 1},
	}
	ended := make(chan int, 1)
	stopped, stop := context.WithCancel(context.Background())
	go func() {
		code := a.execute(stopped, []string{"run"})
		cancel()
		ended <- code
	}()
	defer func() { stop(); <-ended }()
	// It is the same row each time: what is told of it is that it was updated.
	if _, err := s.conn.Exec(ctx, "UPDATE task_completion SET updated_at = '2026-01-01'::timestamptz WHERE id = 12"); err != nil {
		return nil, err
	}
	s.got.Take()
	if _, err := s.conn.Exec(ctx, "UPDATE task_completion SET updated_at = '2026-01-02 03:04:05.678+00' WHERE id = 12"); err != nil {
		return nil, err
	}
	for {
		if err := s.got.Wait(ctx, map[int64]int{1: 1}); err != nil {
			return nil, errors.Join(err, fmt.Errorf("the log:\n%s", out))
		}
		for _, r := range s.got.Take() {
			if bytes.Contains(r.Body, []byte("2026-01-02T03:04:05.678")) {
				return r.Body, nil
			}
		}
	}
}

// TestCommandsInheritNothing: the commands work as they do elsewhere where the database
// has set everything for everybody, its owner among them.
func TestCommandsInheritNothing(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			conn := db.Connect(t)
			for _, h := range hostileSettings(t, conn) {
				if err := set(t, conn, h.name, h.values[round%len(h.values)], false); err != nil {
					t.Fatal(err)
				}
			}
			environ := proctest.Environ(db)
			for _, args := range []string{
				"setup", "setup --print", "setup", "doctor", "status", "hooks list", "hooks pause 1", "hooks resume 1", "hooks adopt 1", "hooks release 1", "deliveries list",
				"backfill --hook 1 --project 1 --action TASK_CREATED --dry-run", "repair --dry-run", "teardown --yes",
			} {
				code, stdout, stderr := command(environ, strings.Fields(args)...)
				if code != exitDone && args != "doctor" || strings.Contains(stdout, "could not be checked") {
					t.Errorf("%s: exit code %d:\n%s%s", args, code, stdout, stderr)
				}
			}
			for what, sql := range map[string]string{
				"slot": "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()", "schema": "SELECT count(*) FROM pg_namespace WHERE nspname = 'hooktail'",
			} {
				var left int
				if err := conn.QueryRow(t.Context(), sql).Scan(&left); err != nil || left != 0 {
					t.Errorf("teardown has left %d %s: %v", left, what, err)
				}
			}
			forget(t, conn)
		})
	}
}
