package cdc

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// TestCanRead: a slot can be read again and again without being moved, unless a published
// table was changed while the publication was away. Since PostgreSQL 18 the server leaves
// such changes out with a warning: Published tells of them.
func TestCanRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		away []string
		want bool
	}{
		{"nothing happened", nil, true},
		{"changed", []string{"INSERT INTO a VALUES (2, 'y')"}, true},
		{"renamed and back, nothing changed", []string{"ALTER PUBLICATION p RENAME TO x", "ALTER PUBLICATION x RENAME TO p"}, true},
		{"changed while renamed", []string{"ALTER PUBLICATION p RENAME TO x", "INSERT INTO a VALUES (2, 'y')", "ALTER PUBLICATION x RENAME TO p"}, false},
		{"changed while dropped", []string{"DROP PUBLICATION p", "INSERT INTO a VALUES (2, 'y')", "CREATE PUBLICATION p FOR TABLE a"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cdctest.Postgres(t)
			db := server.Database(t)
			want := tt.want || server.Major(t) >= 18
			db.Exec(t, "CREATE TABLE a (id int PRIMARY KEY, v text)")
			db.Exec(t, "CREATE PUBLICATION p FOR TABLE a")
			db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", db.Name)
			db.Exec(t, "INSERT INTO a VALUES (1, 'x')")
			for _, sql := range tt.away {
				db.Exec(t, sql)
			}
			for range 2 {
				if got, err := CanRead(t.Context(), db.Connect(t), db.Name, "p"); err != nil || got != want {
					t.Errorf("%v, %v, want %v", got, err, want)
				}
			}
		})
	}
}
