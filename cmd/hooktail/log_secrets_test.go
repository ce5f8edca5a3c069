package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestNoSecretInTheLog: the files of the NATS store have the payloads, but no URL, header or
// secret of a hook, new or changed, no token of a project, no login, and no large payload.
// What the program logs has none of them either.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	s := natstest.Start(t, func(o *server.Options) { o.Users = []*server.User{{Username: "ht-user", Password: mark}} })
	variables := []string{
		"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + strings.Replace(s.URL(), "://", "://ht-user:"+mark+"@", 1),
		"HOOKTAIL_SECRET_KEY=" + strings.Repeat("5e", 32),
	}
	p := start(t, db, variables...)
	db.Exec(t, `UPDATE project SET token = '`+mark+`'`)
	db.Exec(t, `UPDATE webhook SET url = url || '?token=`+mark+`', headers = '{"Authorization": "`+mark+`", "X-Custom": "`+mark+`"}'`)
	signing := strings.TrimSpace(must(t, proctest.Environ(db, variables...), "hooks", "secret", "set", "1"))
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT 77, replace(url, '/h/1', '/h/77'), 1, NULL, true, true, headers, true, now(), now() FROM webhook WHERE id = 1`)
	db.Exec(t, strings.Replace(annotate, "'[]'", `'[{"visible": "small-payload"}]'`, 1), 7)
	db.Exec(t, strings.Replace(annotate, "'[]'", `('[{"hidden": "' || repeat('large-payload', 100000) || '"}]')::jsonb`, 1), 8)
	db.Exec(t, `UPDATE project SET title = 'renamed' WHERE id = 1`) // its payload has the token's member
	var got []conformance.Request
	proctest.WaitFor(t, func() error {
		got = append(got, c.Take()...)
		for _, hook := range []int64{1, 77} {
			for _, want := range []string{"small-payload", "large-payload", "renamed"} {
				if !hasBody(got, hook, want) {
					return fmt.Errorf("hook %d has no %s", hook, want)
				}
			}
		}
		return nil
	})
	visible := false
	err := filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		visible = visible || strings.Contains(string(text), "small-payload")
		outputs{path: string(text)}.hold(t, "127.0.0.1", signing, "ht-user", "large-payload", "X-Custom")
		return err
	})
	if err != nil || !visible {
		t.Errorf("the small payload is in a file of the store: %t, %v", visible, err)
	}
	outputs{"log": p.err.String()}.hold(t, signing, "ht-user")
}

// hasBody reports whether the hook has got a request whose body contains the text.
func hasBody(requests []conformance.Request, hook int64, text string) bool {
	for _, r := range requests {
		if r.Hook == hook && strings.Contains(string(r.Body), text) {
			return true
		}
	}
	return false
}
