package cdctest_test

import (
	"os"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

func TestMain(m *testing.M) { os.Exit(cdctest.Main(m)) }

func TestLabelStudioHasBaseData(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	if got := db.QueryText(t, "SELECT count(*) FROM webhook"); got != "10" {
		t.Errorf("webhooks = %s, want 10", got)
	}
	db.Play(t, "01-project-create")
	if got := db.QueryText(t, "SELECT max(id) FROM project"); got != "5" {
		t.Errorf("newest project = %s, want 5", got)
	}
}

func TestDatabasesAreSeparate(t *testing.T) {
	s := cdctest.Postgres(t)
	a, b := s.Database(t), s.Database(t)
	a.Exec(t, "CREATE TABLE x ()")
	if got := b.QueryText(t, "SELECT count(*) FROM pg_class WHERE relname = 'x'"); got != "0" {
		t.Errorf("tables named x in the other database = %s, want 0", got)
	}
	if got := a.QueryText(t, "SHOW wal_level"); got != "logical" {
		t.Errorf("wal_level = %s, want logical", got)
	}
}

func TestPrivateServerSurvivesKill(t *testing.T) {
	s := cdctest.Private(t, throwaway.Options{Durable: true})
	db := s.Database(t)
	db.Exec(t, "CREATE TABLE x AS SELECT 7 AS a")
	s.Restart(t, throwaway.Crash)
	if got := db.QueryText(t, "SELECT a FROM x"); got != "7" {
		t.Errorf("after kill -9 and restart: %q, want 7", got)
	}
}
