package main

import (
	"strings"
	"testing"
	"unicode"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/display"
)

// TestDoctorSpeaksToPeople: severity, reason and mend of what is wrong, one line for
// what is not, no secret, and the exit code. (What is found has tests of its own.)
func TestDoctorSpeaksToPeople(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	const mark = "opensesame"
	db.Exec(t, "UPDATE webhook SET url = 'http://user:"+mark+"@127.0.0.1:1/p?token="+mark+"', headers = '{\"X-Key\": \""+mark+"\"}'")
	// Before setup there is no role but the owner.
	environ := proctest.Environ(db, "HOOKTAIL_DATABASE_URL="+strings.Replace(db.DSN, "postgres@", "postgres:"+mark+"@", 1))
	code, stdout, stderr := command(environ, "doctor")
	if code != exitFailed || !strings.Contains(stderr, "hooktail: doctor: failures: ") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{
		"ok       wal_level: the WAL can be decoded\n",
		"failure  publication: publication \"hooktail\" does not exist\n         why:  hooktail only receives published changes",
		"\n         mend: hooktail setup\n",
		"cannot reach http://127.0.0.1:1: dial 127.0.0.1:1: connection refused\n",
		"\nfailures: ",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	_, asJSON, _ := command(environ, "doctor", "--json")
	if strings.Contains(stdout+stderr+asJSON, mark) {
		t.Errorf("a secret is shown:\n%s%s%s", stdout, stderr, asJSON)
	}
	if t.Failed() {
		t.Log(stdout)
	}
	if code, stdout, _ := command(append(environ, "HOOKTAIL_NOSUCH=1"), "doctor"); code != exitUsage || stdout != "" {
		t.Errorf("bad configuration: exit code %d, output %q", code, stdout)
	}
}

// TestDoctorPrintsForeignText: an action of a row cannot control the terminal, in none of
// the parts of a finding.
func TestDoctorPrintsForeignText(t *testing.T) {
	t.Parallel()
	const evil = "A\x1b[2J\rB\u202e\u009b1mC"
	var out strings.Builder
	findings := []doctor.Finding{{ID: "hook_actions", Severity: doctor.Warning, What: evil, Why: evil, Mend: evil}}
	if err := printFindings(display.NewScreen(&out, nil), findings); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("prints a control character: %q", out.String()[i:])
	}
	if strings.Count(out.String(), "A [2J B") != 3 {
		t.Errorf("the text is missing:\n%s", out.String())
	}
}
