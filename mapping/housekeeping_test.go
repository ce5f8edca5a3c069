package mapping

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// TestUpgradeOfLabelStudioTellsNothing plays what the application's own migrations did
// to a database with rows of all kinds, and what the removal of a user did.
func TestUpgradeOfLabelStudioTellsNothing(t *testing.T) {
	files, err := filepath.Glob("../testdata/labelstudio/upgrades/*/*/wal.pgoutput.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("recorded upgrades: %d, %v", len(files), err)
	}
	changes := 0
	for _, profile := range []Profile{Guide, Native} {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := slot{relations: map[uint32]*cdc.Relation{}}
			var all []*cdc.Part
			for line := range strings.Lines(string(text)) {
				data, err := hex.DecodeString(strings.Fields(line)[1])
				if err != nil {
					t.Fatal(err)
				}
				all = s.message(t, data, all)
			}
			for _, part := range all {
				changes += len(part.Changes)
			}
			if events := mapAll(t, NewMapper(Options{Profile: profile}), all); len(events) > 0 {
				t.Errorf("%s, %s: events %q, want none", file, profile, tellAll(events))
			}
		}
	}
	if changes == 0 {
		t.Error("no row changes were recorded")
	}
}

// TestHousekeepingTellsNothing: a column is added to each table and filled, a user is
// removed, derived columns are computed anew.
func TestHousekeepingTellsNothing(t *testing.T) {
	s := newSlot(t, "FULL")
	for _, sql := range []string{
		`ALTER TABLE project ADD COLUMN filled text; UPDATE project SET filled = title`,
		`ALTER TABLE task ADD COLUMN filled text; UPDATE task SET filled = 'x'`,
		`ALTER TABLE task_completion ADD COLUMN filled integer; UPDATE task_completion SET filled = id`,
		`ALTER TABLE task_completion ADD COLUMN checked boolean NOT NULL DEFAULT false; UPDATE task_completion SET checked = true`,
		`UPDATE task_completion SET completed_by_id = NULL, updated_by_id = NULL, last_created_by_id = NULL`,
		`UPDATE project SET created_by_id = NULL`,
		`UPDATE task_completion SET project_id = NULL`,
		`UPDATE task_completion a SET project_id = t.project_id FROM task t WHERE t.id = a.task_id`,
		`UPDATE project SET label_config_hash = 1, parsed_label_config = '{}', result_count = 1`,
		`UPDATE task_completion SET unique_id = NULL, import_id = id, bulk_created = true, result_count = 7`,
		`UPDATE project SET organization_id = NULL WHERE id = 2`,
		`UPDATE project SET organization_id = 1 WHERE id = 2`,
		`UPDATE task_completion SET task_id = task_id`,
		`ALTER TABLE task_completion ALTER COLUMN id TYPE bigint; UPDATE task_completion SET id = id`,
	} {
		s.db.Exec(t, sql)
	}
	parts := s.parts(t)
	changes := 0
	for _, part := range parts {
		changes += len(part.Changes)
	}
	if changes < 100 {
		t.Fatalf("%d row changes: the base has more rows", changes)
	}
	for _, profile := range []Profile{Guide, Native} {
		if events := mapAll(t, NewMapper(Options{Profile: profile}), parts); len(events) > 0 {
			t.Errorf("%s: events %q, want none", profile, tellAll(events))
		}
	}
}

// TestTellingColumns: whatever columns a table has and an update changes, it is an event
// of the guide's if updated_at moved or a telling column changed, but for a reference that
// turned from or to null, and one of the native profile's if updated_at moved.
func TestTellingColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of, rel := project, &cdc.Relation{Schema: "public", Name: "project", Identity: fullKey}
		names := []string{"id", "updated_at", "organization_id", "deleted_at"}
		if rapid.Bool().Draw(t, "annotation") {
			of, rel.Name = annotation, "task_completion"
			names = []string{"id", "updated_at", "task_id", "was_cancelled", "project_id"}
		}
		more := append(slices.Clone(tellingColumns[of]), "created_by_id", "filled", "checked", "result_count", "token", "unique_id")
		for _, name := range rapid.Permutation(more).Draw(t, "columns")[:rapid.IntRange(0, len(more)).Draw(t, "number")] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		old, now := make(values, len(names)), make(values, len(names))
		guide, moved := false, false
		for i, name := range names {
			rel.Columns = append(rel.Columns, cdc.Column{Name: name})
			value := func(label string) any {
				return rapid.SampledFrom([]any{nil, "1", "2"}).Draw(t, name+label)
			}
			switch old[i] = value(" before"); name {
			case "id":
				old[i], now[i] = 7, 7
				continue
			case "deleted_at":
				old[i] = nil
				continue
			}
			if now[i] = old[i]; rapid.Bool().Draw(t, "change "+name) {
				now[i] = value(" after")
			}
			switch changed := now[i] != old[i]; {
			case name == "updated_at":
				moved = moved || changed
			case strings.HasSuffix(name, "_id") && (old[i] == nil || now[i] == nil):
			case slices.Contains(tellingColumns[of], name):
				guide = guide || changed
			}
		}
		change := cdc.Change{Op: cdc.Update, Relation: rel, Old: row(rel, old...), New: row(rel, now...)}
		known := of == project || old[2] != nil || now[2] != nil || old[4] != nil || now[4] != nil
		for profile, want := range map[Profile]bool{Guide: moved || guide, Native: moved} {
			events, err := NewMapper(Options{Profile: profile}).Events(parts(1, []cdc.Change{change})[0], nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := len(events) > 0; got != (want && known) {
				t.Fatalf("%s: events %q, want one: %t\ncolumns %v\nbefore %v\nafter  %v", profile, tellAll(events), want && known, names, old, now)
			}
		}
	})
}
