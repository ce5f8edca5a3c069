package cdc

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// TestTeardownIsOneTransaction: what the caller does within goes or stays with the rest,
// and the slot is the last to go.
func TestTeardownIsOneTransaction(t *testing.T) {
	t.Parallel()
	db, plan := owned(t)
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Fatal(err)
	}
	before := installed(t, db)
	mark := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO a VALUES (1, 'within')")
		return err
	}
	wrong := errors.New("wrong")
	err := Teardown(t.Context(), db.Connect(t), plan, nil, mark, func(context.Context, pgx.Tx) error { return wrong })
	if !errors.Is(err, wrong) {
		t.Errorf("error %v, want the caller's", err)
	}
	db.Exec(t, "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$no$$; END'")
	db.Exec(t, "CREATE EVENT TRIGGER no ON sql_drop EXECUTE FUNCTION no()") // the publication's drop fails
	if err := Teardown(t.Context(), db.Connect(t), plan, nil, mark); err == nil {
		t.Error("no error of the statement that fails")
	}
	db.Exec(t, "DROP EVENT TRIGGER no")
	if diff := cmp.Diff(before, installed(t, db)); diff != "" {
		t.Errorf("something was removed all the same:\n%s", diff)
	}
	if n := db.QueryText(t, "SELECT count(*) FROM a"); n != "0" {
		t.Errorf("%s of the caller's rows are left", n)
	}
	if err := Teardown(t.Context(), db.Connect(t), plan, nil, mark); err != nil {
		t.Fatal(err)
	}
	if n := db.QueryText(t, "SELECT count(*) FROM a"); n != "1" {
		t.Errorf("%s of the caller's rows are there, want 1", n)
	}
	remains, err := CheckTeardown(t.Context(), db.Connect(t), plan)
	if diff := cmp.Diff(Remains{}, remains); diff != "" || err != nil {
		t.Errorf("error %v, remains (-want +got):\n%s", err, diff)
	}
}
