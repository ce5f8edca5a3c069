package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestNoSecretInLogsOrErrors: what is secret in the configuration, in a hook or
// in a payload is in none of the program's outputs, whatever goes wrong.
func TestNoSecretInLogsOrErrors(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	receive(t, db)
	const mark = "opensesame"
	for _, sql := range []string{
		// Nobody listens there; the second is refused for its header.
		"UPDATE webhook SET url = 'http://user:" + mark + "1@127.0.0.1:1/p?token=" + mark + "2#" + mark + "3', headers = '{\"Authorization\": \"" + mark + "4\"}' WHERE id = 1",
		"UPDATE webhook SET url = 'http://user:" + mark + "5@127.0.0.1:1/', headers = '{\"X-Key\": \"" + mark + "6\\n\"}' WHERE id = 6",
		"UPDATE webhook SET url = 'ftp://user:" + mark + "7@127.0.0.1/?" + mark + "8' WHERE id = 5",
		"UPDATE project SET token = '" + mark + "9', task_data_password = '" + mark + "10'",
	} {
		db.Exec(t, sql)
	}
	dsn := strings.Replace(db.DSN, "postgres@", "postgres:"+mark+"11@", 1)
	p := start(t, db, "HOOKTAIL_DATABASE_URL="+dsn, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE=0s")
	db.Exec(t, strings.Replace(annotate, "'[]'", `'["`+mark+`12"]'`, 1), 7)
	proctest.WaitFor(t, func() error {
		for _, line := range []string{"hook=1", "hook=6"} {
			if !strings.Contains(p.err.String(), line) {
				return fmt.Errorf("the log does not say %q yet", line)
			}
		}
		return nil
	})
	outputs := map[string]string{"log": ""}
	for _, path := range []string{"/metrics", "/readyz", "/livez"} {
		_, outputs[path] = p.get(t, path)
	}
	for _, args := range [][]string{{"hooks", "list"}, {"setup"}, {"setup", "--print"}, {"help", "environment"}, {"teardown"}} {
		_, stdout, stderr := command(proctest.Environ(db, "HOOKTAIL_DATABASE_URL="+dsn), args...)
		outputs[strings.Join(args, " ")] = stdout + stderr
	}
	bad := strings.Replace(dsn, "@/", "@/?sslmode="+mark+"13&x=", 1)
	_, _, outputs["bad URL"] = command([]string{"HOOKTAIL_DATABASE_URL=" + bad}, "run")
	p.end(t)
	outputs["log"] = p.err.String()
	for name, text := range outputs {
		if i := strings.Index(text, mark); i >= 0 {
			t.Errorf("%s shows a secret: %.300s", name, text[max(0, i-200):])
		}
	}
}
