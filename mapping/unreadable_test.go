package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestUnreadableRowDelaysNobody: a row of whatever table that the server does not return
// costs its own payloads what it would have added to them, and no other event anything.
// It is logged once, without its values.
func TestUnreadableRowDelaysNobody(t *testing.T) {
	const annotated = "(SELECT task_id FROM task_completion WHERE id = 12)"
	for of, row := range map[string]string{"project": "1", "task": annotated, "task_completion": "12"} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "DEFAULT") // the result of annotation 12 is TOASTed: it has to be read
			id := s.db.QueryText(t, "SELECT id FROM "+of+" WHERE id = "+row)
			s.db.Exec(t, "CREATE TYPE mood AS ENUM ('good', 'hidden'); ALTER TABLE "+of+" ADD COLUMN mood mood DEFAULT 'good'")
			s.db.Exec(t, "UPDATE "+of+" SET mood = 'hidden' WHERE id = "+id)
			s.db.Exec(t, "CREATE TABLE label AS SELECT * FROM pg_enum WHERE enumlabel = 'hidden'")
			s.parts(t)
			var log bytes.Buffer
			o := Options{Metrics: NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.NewTextHandler(&log, nil))}
			r := NewRenderer(s.pool, o)
			for range 2 {
				s.db.Exec(t, "UPDATE task_completion SET updated_at = clock_timestamp()")
				s.db.Exec(t, "UPDATE project SET updated_at = clock_timestamp()")
				parts := s.parts(t)
				s.db.Exec(t, "DELETE FROM pg_enum WHERE enumlabel = 'hidden'") // the server cannot show the row's value any more
				events := mapAll(t, NewMapper(o), parts)
				if err := NewLocator(s.pool, o).Locate(context.Background(), events); err != nil {
					t.Fatal(err)
				}
				if err := r.Render(context.Background(), events); err != nil {
					t.Fatal(err)
				}
				s.db.Exec(t, "INSERT INTO pg_enum SELECT * FROM label")
				checkUnreadable(t, events, of, id)
			}
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "id="+id+" ") {
				t.Errorf("%d lines, want one about row %s:\n%s", n, id, &log)
			}
			if gone, omitted := testutil.ToFloat64(o.Metrics.gone[tableNamed(of)]), testutil.ToFloat64(o.Metrics.omitted); gone+omitted == 0 {
				t.Error("what the payloads lack is not counted")
			}
		})
	}
}

// TestBackfillPassesUnreadableRows: all other rows have their events, in order.
func TestBackfillPassesUnreadableRows(t *testing.T) {
	for of, action := range map[string]Action{"project": ProjectCreated, "task": TaskCreated, "task_completion": AnnotationCreated} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "DEFAULT")
			unreadable := s.db.QueryText(t, "SELECT string_agg(id::text, ' ') FROM (SELECT id FROM "+of+" ORDER BY id OFFSET 1 LIMIT 2) few")
			s.db.Exec(t, "CREATE TYPE mood AS ENUM ('good', 'hidden'); ALTER TABLE "+of+" ADD COLUMN mood mood DEFAULT 'good'")
			s.db.Exec(t, "UPDATE "+of+" SET mood = 'hidden' WHERE id IN ("+strings.ReplaceAll(unreadable, " ", ", ")+")")
			s.db.Exec(t, "DELETE FROM pg_enum WHERE enumlabel = 'hidden'")
			var log bytes.Buffer
			b, err := NewBackfill(s.pool, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, action, BackfillRows{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Begin(context.Background()); err != nil {
				t.Fatal(err)
			}
			var all, without []string
			for {
				rows, err := b.Next(context.Background(), 5)
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) == 0 {
					break
				}
				if err := b.Render(context.Background(), rows); err != nil {
					t.Fatal(err)
				}
				for i := range rows {
					id := strconv.FormatInt(rows[i].ID, 10)
					if all = append(all, id); rows[i].Event == nil {
						without = append(without, id)
					} else if len(rows[i].Event.Payload) == 0 {
						t.Errorf("row %s has no payload", id)
					}
				}
			}
			if want := s.db.QueryText(t, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM "+of); strings.Join(all, " ") != want {
				t.Errorf("rows %q, want %q", all, want)
			}
			if strings.Join(without, " ") != unreadable {
				t.Errorf("rows without an event: %q, want %q", without, unreadable)
			}
			if n := strings.Count(log.String(), "it is left out"); n != len(without) {
				t.Errorf("%d rows are logged as left out, want %d:\n%s", n, len(without), &log)
			}
		})
	}
}

func tableNamed(name string) table {
	return map[string]table{"project": project, "task": task, "task_completion": annotation}[name]
}

// checkUnreadable compares the members of all bodies with what can be known: the row with
// that id has only its id, and an annotation lacks its result.
func checkUnreadable(t *testing.T, events []*Event, of, id string) {
	t.Helper()
	touched, others := 0, 0
	for _, e := range events {
		var body map[string]json.RawMessage
		if err := json.Unmarshal(e.Body(e.Action, true).Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		for member, name := range map[string]string{"project": "project", "task": "task", "annotation": "task_completion"} {
			if body[member] == nil {
				continue
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(body[member], &fields); err != nil {
				t.Fatal(err)
			}
			switch this := of == name && string(fields["id"]) == id; {
			case !this:
				if others++; len(fields) < 20 {
					t.Errorf("%s %s of %s has only %d fields", name, fields["id"], e.Action, len(fields))
				}
			case name == "task_completion":
				if touched++; fields["result"] != nil || fields["updated_at"] == nil {
					t.Errorf("annotation %s: result %.40s, updated_at %s", id, fields["result"], fields["updated_at"])
				}
			case e.Action == ProjectUpdated: // as of its commit
				if touched++; fields["title"] == nil {
					t.Errorf("project %s of %s has no title", id, e.Action)
				}
			default:
				if touched++; len(fields) != 1 {
					t.Errorf("%s %s of %s has %d fields, want its id", name, id, e.Action, len(fields))
				}
			}
		}
	}
	if touched == 0 || others == 0 {
		t.Errorf("%d members of the row, %d of others", touched, others)
	}
}

// TestErrorsOfRows: errors that pass, or that are of the query, are waited for.
func TestErrorsOfRows(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"22P02": true, "22012": true, "22003": true, "22021": true, "22P03": true, "54000": true, "XX001": true,
		"XX000": false, "57014": false, "53200": false, "53100": false, "40001": false, "42703": false, "08006": false, "25006": false, "58030": false,
	} {
		if got := isOfRow(fmt.Errorf("read: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("SQLSTATE %s: of a row %s, want %s", code, strconv.FormatBool(got), strconv.FormatBool(want))
		}
	}
	if isOfRow(context.DeadlineExceeded) || isOfRow(nil) {
		t.Error("no error of the server is of a row")
	}
}
