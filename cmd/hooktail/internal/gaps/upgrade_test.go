package gaps

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestGapFoundByAnUpgrade: where the slot was lost and hooktail's tables are those of an
// older version, setup brings the tables up to date, so that repair can mend the gap.
func TestGapFoundByAnUpgrade(t *testing.T) {
	t.Parallel()
	s := newScene(t, cdctest.Postgres(t))
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	s.delivered(s.annotate())
	s.stop(p)
	s.dropSlot()
	s.olderTables()
	if p := proctest.Start(t, proctest.Environ(s.db), "repair"); p.Wait(t) != 1 || !strings.Contains(p.Stderr.String(), "run `hooktail setup`") {
		t.Errorf("repair with older tables:\n%s", p.Stderr)
	}
	missed := s.annotate()
	if p := proctest.Start(t, proctest.Environ(s.db), "setup"); p.Wait(t) != exitGap {
		t.Errorf("setup with a gap:\n%s", p.Stderr)
	}
	s.repair("--resend")
	p = proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	if origin := s.delivered(missed).Header.Get("hooktail-origin"); origin != "repair" {
		t.Errorf("hooktail-origin of what was missed: %q, want repair", origin)
	}
	s.stop(p)
}

// olderTables has hooktail's tables be those of the version before, with the position
// that was remembered.
func (s *scene) olderTables() {
	s.t.Helper()
	s.db.Exec(s.t, "CREATE TABLE kept AS SELECT * FROM hooktail.position")
	s.db.Exec(s.t, "DROP SCHEMA hooktail CASCADE")
	print := proctest.Start(s.t, proctest.Environ(s.db), "setup", "--print")
	if code := print.Wait(s.t); code != 0 {
		s.t.Fatalf("setup --print: exit code %d\n%s", code, print.Stderr)
	}
	script := print.Stdout.String()
	versions := regexp.MustCompile(`VALUES \(\d+, true\);\n`).FindAllStringIndex(script, -1) // from 0
	script = script[:versions[len(versions)-2][1]]
	if _, err := s.db.Connect(s.t).PgConn().Exec(s.t.Context(), script).ReadAll(); err != nil {
		s.t.Fatalf("%v\n%s", err, script)
	}
	columns := s.db.QueryText(s.t, "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns WHERE table_schema = 'hooktail' AND table_name = 'position'")
	s.db.Exec(s.t, "INSERT INTO hooktail.position ("+columns+") SELECT "+columns+" FROM kept")
	s.db.Exec(s.t, "DROP TABLE kept")
}
