package mapping

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBackfillOfSoftDeletedProject: what is in a project that is marked as deleted makes no events,
// as in the stream.
func TestBackfillOfSoftDeletedProject(t *testing.T) {
	for _, tt := range []struct {
		name, sql string
		want      map[Action]int // rows of project 3 with an event
	}{
		{"marked", "UPDATE project SET deleted_at = now() WHERE id = 3", map[Action]int{}},
		{"not marked", "UPDATE project SET deleted_at = now() WHERE id = 2", map[Action]int{ProjectCreated: 1, TaskCreated: 6, AnnotationCreated: 3}},
		{"an older version", "ALTER TABLE project DROP COLUMN deleted_at", map[Action]int{ProjectCreated: 1, TaskCreated: 6, AnnotationCreated: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "FULL")
			s.db.Exec(t, tt.sql)
			got := map[Action]int{}
			for _, action := range BackfillActions() {
				b, err := NewBackfill(s.pool, Options{}, action, BackfillRows{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.Begin(context.Background()); err != nil {
					t.Fatal(err)
				}
				rows, err := b.Next(context.Background(), 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					if row.Event != nil && row.Event.Project == 3 {
						got[action]++
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
