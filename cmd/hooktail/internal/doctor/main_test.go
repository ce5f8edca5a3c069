package doctor_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/testdata"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }

// patient is a database that hooktail is to run on.
type patient struct {
	db        *cdctest.Database
	variables []string // of its environment, besides the role's
	receiver  *httptest.Server
}

// bounded is the setting without which every server is ill.
const bounded = "10GB"

var bound sync.Once // the server of this binary

// healthy is a patient that nothing is wrong with, on the server that all share.
func healthy(t *testing.T) *patient {
	t.Helper()
	s := cdctest.Postgres(t)
	db := s.LabelStudio(t)
	bound.Do(func() {
		db.Configure(t, "max_slot_wal_keep_size", bounded)
	})
	proctest.WaitFor(t, settingIs(t, db, "max_slot_wal_keep_size", bounded))
	return admit(t, db)
}

func settingIs(t *testing.T, db *cdctest.Database, name, want string) func() error {
	return func() error {
		if got := db.QueryText(t, "SELECT current_setting($1)", name); got != want {
			return &json.UnsupportedValueError{Str: name + " is " + got}
		}
		return nil
	}
}

// private is a patient with a server of its own.
func private(t *testing.T, major string, settings map[string]string) *patient {
	t.Helper()
	if settings["max_slot_wal_keep_size"] == "" {
		settings["max_slot_wal_keep_size"] = bounded
	}
	return admit(t, cdctest.Private(t, throwaway.Options{Major: major, Settings: settings}).LabelStudio(t))
}

// admit mends the recorded hooks, and sets the database up where that can be done.
func admit(t *testing.T, db *cdctest.Database) *patient {
	t.Helper()
	p := &patient{db: db, receiver: httptest.NewServer(http.NotFoundHandler())}
	t.Cleanup(p.receiver.Close)
	db.Exec(t, "UPDATE webhook SET url = $1 || '/h/' || id, send_for_all_actions = send_for_all_actions OR id = 9", p.receiver.URL)
	db.Exec(t, "UPDATE webhook_action SET action = 'PROJECT_UPDATED' WHERE action = 'TASKS_DELETED'")
	if db.QueryText(t, "SHOW wal_level") == "logical" {
		proctest.SetUp(t, db)
	}
	return p
}

// examine runs `hooktail doctor --json` with the role's environment.
func (p *patient) examine(t *testing.T) []doctor.Finding {
	t.Helper()
	child := proctest.Start(t, proctest.RoleEnviron(p.db, p.variables...), "doctor", "--json")
	code := child.Wait(t)
	var findings []doctor.Finding
	decoder := json.NewDecoder(strings.NewReader(child.Stdout.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&findings); err != nil {
		t.Fatalf("exit code %d, output %v: %s%s", code, err, child.Stdout, child.Stderr)
	}
	want := 0
	if slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Severity == doctor.Failure }) {
		want = 1
	}
	if code != want {
		t.Errorf("exit code %d, want %d: %s", code, want, child.Stderr)
	}
	for _, f := range findings {
		if f.ID == "" || f.What == "" || (f.Severity == doctor.OK) != (f.Why == "") || (f.Severity == doctor.OK) != (f.Mend == "") {
			t.Errorf("a finding that does not say all: %+v", f)
		}
	}
	return findings
}

// find is the finding of the check that says so.
func find(findings []doctor.Finding, id, what string) (doctor.Finding, bool) {
	i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.ID == id && strings.Contains(f.What, what) })
	if i < 0 {
		return doctor.Finding{}, false
	}
	return findings[i], true
}

// told are the findings that are not ok, without what is to be expected.
func told(findings []doctor.Finding, expected ...string) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f doctor.Finding) bool {
		return f.Severity == doctor.OK || slices.Contains(expected, f.ID)
	})
}

// mend does what the finding says: SQL as the owner, or a command.
func (p *patient) mend(t *testing.T, f doctor.Finding) {
	t.Helper()
	if command, ok := strings.CutPrefix(f.Mend, "hooktail "); ok {
		command, _, _ = strings.Cut(command, "#")
		for one := range strings.SplitSeq(command, "&& hooktail") {
			child := proctest.Start(t, proctest.Environ(p.db, p.variables...), strings.Fields(one)...)
			if code := child.Wait(t); code != 0 {
				t.Fatalf("hooktail %s: exit code %d: %s", one, code, child.Stderr)
			}
		}
		proctest.Grant(t, p.db)
		return
	}
	for _, statement := range testdata.Statements([]byte(f.Mend + "\n")) {
		p.db.Exec(t, statement)
	}
}
