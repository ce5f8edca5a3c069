package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestRefusedRowsAreToldApart: what a server says of a row of the batch, however the
// batch is sent, is not taken for a fault of the database, and does not quote the row.
func TestRefusedRowsAreToldApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, change string }{
		{"constraint", `ALTER TABLE "Hook""tail".parked ADD CONSTRAINT small CHECK (octet_length(body) < 100)`},
		{"encoding", `CREATE INDEX ON "Hook""tail".parked (convert_from(body, 'UTF8'))`},
		{"index row", `CREATE INDEX ON "Hook""tail".parked (body)`},
		{"expression", `CREATE INDEX ON "Hook""tail".parked ((1 / (100000 - octet_length(body))))`},
		{"trigger", `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF octet_length(new.body) > 100 THEN RAISE ''%'', convert_from(new.body, ''LATIN1''); END IF; RETURN new; END'`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t)
			if tt.name == "encoding" {
				db.Exec(t, `CREATE FUNCTION text_of(bytea) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT left(convert_from($1, 'UTF8'), 10) $$`)
				tt.change = `CREATE INDEX ON "Hook""tail".parked (text_of(body))`
			}
			db.Exec(t, tt.change)
			if tt.name == "trigger" {
				db.Exec(t, `CREATE TRIGGER refuse BEFORE INSERT ON "Hook""tail".parked FOR EACH ROW EXECUTE FUNCTION refuse()`)
			}
			store := newStore(t, db)
			for _, many := range []int{1, 20} { // an INSERT, and a COPY
				var b state.Batch
				for n := range many {
					b.Insert = append(b.Insert, delivery(1, n))
				}
				body := make([]byte, 100_000)
				if _, err := rand.NewChaCha8([32]byte{}).Read(body); err != nil {
					t.Fatal(err)
				}
				b.Insert[many-1].Body = mapping.BodyOf(body)
				err := store.Apply(t.Context(), b)
				if !state.IsRefused(err) {
					t.Fatalf("%d rows: error %v", many, err)
				}
				if text := state.Explain(err); len(text) > 100 || !strings.Contains(text, "SQLSTATE ") {
					t.Errorf("explained as %q", text)
				}
				b.Insert[many-1].Body, b.Insert[many-1].State = mapping.Body{}, state.Dead
				if err := store.Apply(t.Context(), b); err != nil {
					t.Errorf("%d rows, one without its body: %v", many, err)
				}
			}
		})
	}
}

// TestFaultsOfTheDatabaseAreNotTheRows: these are waited for.
func TestFaultsOfTheDatabaseAreNotTheRows(t *testing.T) {
	t.Parallel()
	errs := []error{nil, context.DeadlineExceeded, errors.New("closed"), fmt.Errorf("park: %w", context.Canceled)}
	for _, code := range []string{"08006", "25006", "40001", "40P01", "42501", "42P01", "53100", "53300", "55P03", "57014", "57P01", "58030", "XX001", ""} {
		errs = append(errs, &pgconn.PgError{Code: code})
	}
	for _, err := range errs {
		if state.IsRefused(err) || state.IsSuspect(err) {
			t.Errorf("%v is taken for the row's fault", err)
		}
	}
}

// TestAnyTimeAndTextIsStored: no time of a clock and no text is refused.
func TestAnyTimeAndTextIsStored(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	for _, many := range []int{1, 20} {
		var b state.Batch
		for n := range many {
			row := delivery(int64(many), n)
			row.Committed = time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC)
			row.Added, row.Next = time.Date(-300_000, 1, 1, 0, 0, 0, 0, time.UTC), row.Committed
			row.Action, row.LastResult, row.Attempts = "A\x00\xff", "\x00", 1<<40
			b.Insert = append(b.Insert, row)
		}
		apply(t, store, b)
		apply(t, store, state.Batch{Update: []state.Attempt{{
			Key: b.Insert[0].Key, Attempts: 1 << 40, Next: b.Insert[0].Next, LastResult: "\x00\xff",
		}}})
	}
	if rows, err := store.List(t.Context(), state.Filter{}); err != nil || len(rows) != 21 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
