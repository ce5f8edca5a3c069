package mapping

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cdc/cdctest"
)

const scenarios = "../testdata/labelstudio/scenarios"

// slot reads a slot by SQL and decodes it with pglogrepl.
type slot struct {
	db        *cdctest.Database
	pool      *pgxpool.Pool
	relations map[uint32]*cdc.Relation
}

func newSlot(t testing.TB, identity string) *slot {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "ALTER DATABASE "+db.Name+" SET synchronous_commit = on") // a slot shows what is flushed
	plan := cdc.Plan{Slot: db.Name, Publication: "hooktail"}
	for _, name := range []string{"project", "task", "task_completion", "webhook", "webhook_action"} {
		of := name == "project" || name == "task" || name == "task_completion"
		plan.Tables = append(plan.Tables, cdc.Table{Schema: "public", Name: name, IdentityFull: of && identity == "FULL"})
	}
	if _, err := cdc.Setup(context.Background(), db.Connect(t), plan, nil); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(context.Background(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &slot{db: db, pool: pool, relations: map[uint32]*cdc.Relation{}}
}

// parts are the transactions that were committed since the last call, one part
// each.
func (s *slot) parts(t testing.TB) []*cdc.Part {
	t.Helper()
	rows, err := s.pool.Query(context.Background(), `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL,
		'proto_version', '1', 'publication_names', 'hooktail')`, s.db.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []*cdc.Part
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			t.Fatal(err)
		}
		all = s.message(t, data, all)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func (s *slot) message(t testing.TB, data []byte, all []*cdc.Part) []*cdc.Part {
	t.Helper()
	message, err := pglogrepl.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	change := func(op cdc.Op, relation uint32, old, now *pglogrepl.TupleData) {
		part := all[len(all)-1]
		part.Changes = append(part.Changes, cdc.Change{
			Op: op, Relation: s.relations[relation],
			Old: tupleOf(old), New: tupleOf(now), Ordinal: len(part.Changes),
		})
	}
	switch m := message.(type) {
	case *pglogrepl.BeginMessage:
		all = append(all, &cdc.Part{
			Commit: m.FinalLSN, Timeline: 1, Time: m.CommitTime,
			Received: time.Now(), First: true, Last: true,
		})
	case *pglogrepl.RelationMessage:
		rel := &cdc.Relation{ID: m.RelationID, Schema: m.Namespace, Name: m.RelationName, Identity: m.ReplicaIdentity}
		for _, c := range m.Columns {
			rel.Columns = append(rel.Columns, cdc.Column{Name: c.Name, Type: c.DataType, Key: c.Flags&1 != 0})
		}
		s.relations[m.RelationID] = rel
	case *pglogrepl.InsertMessage:
		change(cdc.Insert, m.RelationID, nil, m.Tuple)
	case *pglogrepl.UpdateMessage:
		change(cdc.Update, m.RelationID, m.OldTuple, m.NewTuple)
	case *pglogrepl.DeleteMessage:
		change(cdc.Delete, m.RelationID, m.OldTuple, nil)
	}
	return all
}

func tupleOf(data *pglogrepl.TupleData) cdc.Tuple {
	if data == nil {
		return cdc.Tuple{}
	}
	row := make([]cdc.Value, len(data.Columns))
	for i, c := range data.Columns {
		row[i] = cdc.Value{Kind: cdc.Kind(c.DataType), Text: c.Data}
	}
	return cdc.MakeTuple(row...)
}

// request is one that Label Studio sent.
type request struct {
	Hook   int
	Action string
	Body   json.RawMessage
}

// sentToOrganizations are the scenario's requests to the hooks that get
// everything: of organization 1 and of organization 2.
func sentToOrganizations(t testing.TB, scenario string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(scenarios, scenario, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var requests []request
	if err := json.Unmarshal(data, &requests); err != nil {
		t.Fatal(err)
	}
	bodies := []string{}
	for _, r := range requests {
		if r.Hook == 6 || r.Hook == 10 {
			bodies = append(bodies, canonical(t, r.Body))
		}
	}
	return bodies
}

// TestRecordedPayloads plays all scenarios and compares each payload with the
// one that Label Studio sent, where the rows at the end of the scenario are those
// that it sent and its NOTES.md allow no other events.
func TestRecordedPayloads(t *testing.T) {
	otherwise := map[string]string{
		"25-annotation-unskip-convert-to-draft": "the application means to send the deletion and does not",
		"36-dm-predictions-to-annotations":      "sent before the counters",
		"37-dm-delete-annotations":              "sent before the counters",
		"44-hook-added-changed-deleted":         "several calls",
		"47-unicode-task-and-annotation":        "several calls",
		"55-reimport":                           "several calls",
		"56-project-wipe-tasks-api":             "sent without the project",
		"58-other-organization":                 "several calls",
		"59-local-storage-sync":                 "several transactions make one request",
		"60-dm-experimental-actions":            "sent silently",
		"61-undefined-stored-then-config":       "several calls",
	}
	byMemory := map[string]string{ // what the stream has not shown before is not known
		"40-task-delete-annotated":         "task 5 is of the base data",
		"41-dm-delete-tasks":               "task 6 is of the base data",
		"49-toast-annotation-ground-truth": "the first update of annotation 12 counts",
	}
	for _, identity := range []string{"FULL", "DEFAULT"} {
		t.Run(identity, func(t *testing.T) {
			s := newSlot(t, identity)
			o := Options{Profile: Native, SendSecrets: true, Settle: 1, CountShare: 1000} // exact counts, however slow the machine is
			mapper, locator, renderer := NewMapper(o), NewLocator(s.pool, o), NewRenderer(s.pool, o)
			entries, err := os.ReadDir(scenarios)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				scenario := entry.Name()
				s.db.Play(t, scenario)
				events := mapAll(t, mapper, s.parts(t))
				if err := locator.Locate(context.Background(), events); err != nil {
					t.Fatal(err)
				}
				if err := renderer.Render(context.Background(), events); err != nil {
					t.Fatal(err)
				}
				got := []string{}
				for _, e := range events {
					body := canonical(t, e.Body(e.Action, true).Bytes())
					if e.Organization == 0 {
						t.Errorf("%s: no organization for %s of project %d", scenario, e.Action, e.Project)
					}
					got = append(got, body)
				}
				if otherwise[scenario] != "" || identity == "DEFAULT" && byMemory[scenario] != "" {
					continue
				}
				want := sentToOrganizations(t, scenario)
				slices.Sort(want)
				slices.Sort(got)
				if diff := cmp.Diff(split(want), split(got)); diff != "" {
					t.Errorf("%s (-sent +built):\n%s", scenario, diff)
				}
			}
		})
	}
}

// TestGuideOverRecordedChanges says what the guide's profile makes of each
// scenario: the actions in their order, with how many of each come in a row.
func TestGuideOverRecordedChanges(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "guide.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSlot(t, "FULL")
	mapper := NewMapper(Options{})
	entries, err := os.ReadDir(scenarios)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, entry := range entries {
		s.db.Play(t, entry.Name())
		fmt.Fprintf(&got, "%s:", entry.Name())
		events := mapAll(t, mapper, s.parts(t))
		for len(events) > 0 {
			n := 1
			for n < len(events) && events[n].Action == events[0].Action {
				n++
			}
			fmt.Fprintf(&got, " %d %s", n, events[0].Action)
			events = events[n:]
		}
		got.WriteString("\n")
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func split(bodies []string) [][]string {
	lines := [][]string{}
	for _, body := range bodies {
		lines = append(lines, strings.Split(body, "\n"))
	}
	return lines
}
