package main

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// longURL is one that does not fit into its row, at the receiver's path of hook 1.
const longURL = `url || '?' || (SELECT left(string_agg(translate(encode(sha512((i || random()::text)::bytea), 'base64'), E'\n+/', '-__'), ''), 1900) FROM generate_series(1, 30) i)`

// TestAColumnIsWaitedFor: while the table of the hooks lacks a column that a change needs,
// hooktail runs, and reads on when it is back.
func TestAColumnIsWaitedFor(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN is_active TO active")
	db.Exec(t, "UPDATE webhook SET active = false WHERE id = 2")
	want := db.QueryText(t, annotate, 7)
	p.err.Find(t, `trying again.*read a hook.*column is_active is missing`, p.ended)
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN active TO is_active")
	delivered(t, db)
	requests := c.Take()
	if got := annotationsOf(t, requests, 1); len(got) != 1 || got[0] != want {
		t.Errorf("annotations %v at hook 1, want %s", got, want)
	}
	if got := annotationsOf(t, requests, 2); len(got) > 0 {
		t.Errorf("annotations %v at hook 2, which was switched off under another name of the column", got)
	}
}
