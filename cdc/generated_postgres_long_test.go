//go:build long

package cdc

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestUpdatesGoOnWithGeneratedColumns: PostgreSQL 18 refuses the application's
// updates of a table whose replica identity has a generated column that is not
// published. Setup must never bring that about.
func TestUpdatesGoOnWithGeneratedColumns(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Major: "18"})
	db := server.Database(t)
	ctx := context.Background()
	conn := db.Connect(t)
	db.Exec(t, "CREATE TABLE a (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (2*n) STORED)")
	db.Exec(t, "CREATE TABLE v (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (2*n) VIRTUAL)")
	db.Exec(t, "INSERT INTO a VALUES (1, 1)")
	db.Exec(t, "CREATE PUBLICATION old FOR TABLE a") // as one that was made before an upgrade
	plan := Plan{Publication: "p", Tables: []Table{{Schema: "public", Name: "a", IdentityFull: true}}}

	var fault *Fault
	if _, err := Setup(ctx, conn, plan, nil); !errors.As(err, &fault) || fault.Reason != IdentityUnsafe || !strings.Contains(err.Error(), "publication old") {
		t.Fatalf("with a publication that lacks the column: %v", err)
	}
	db.Exec(t, "UPDATE a SET n = 2")

	plan.Publication = "old" // our own is mended
	if _, err := Setup(ctx, conn, plan, nil); err != nil {
		t.Fatalf("setup: %v", err)
	}
	db.Exec(t, "UPDATE a SET n = 3")
	db.Exec(t, "DELETE FROM a")

	plan.Tables[0].Name = "v"
	if _, err := Setup(ctx, conn, plan, nil); !errors.As(err, &fault) || fault.Reason != IdentityUnsafe || !strings.Contains(err.Error(), "virtual") {
		t.Errorf("with a virtual column: %v", err)
	}

	db.Exec(t, "ALTER PUBLICATION old SET (publish_generated_columns = none)")
	if err := CheckPublication(ctx, conn.PgConn(), "old", plan.Tables[:0]); !errors.As(err, &fault) || !strings.Contains(err.Error(), "generated columns") {
		t.Errorf("a publication that was changed afterwards: %v", err)
	}
}
