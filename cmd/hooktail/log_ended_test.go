package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestLoginOfNATSIsReplaced: whatever a login consists of, its files are replaced while hooktail runs, and
// the servers accept the new one alone. hooktail goes on.
func TestLoginOfNATSIsReplaced(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	type login struct {
		server func(*server.Options)
		files  map[string]string // content by variable; a URL without scheme and address
	}
	nkey := func(*testing.T) login {
		seed, public := natstest.NKey(t)
		return login{func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, map[string]string{"NKEY": seed}}
	}
	passwords := []string{"one", "two"}
	password := func(*testing.T) login {
		secret := passwords[0]
		passwords = passwords[1:]
		return login{func(o *server.Options) { o.Username, o.Password = "ht", secret }, map[string]string{"URL": "ht:" + secret + "@"}}
	}
	certificates := func(t *testing.T) login {
		authority := natstest.NewAuthority(t)
		certificate, key := authority.Pair(later)
		return login{authority.Server(later, true), map[string]string{"CA": authority.PEM, "CERT": certificate, "KEY": key}}
	}
	for _, tt := range []struct {
		name    string
		make    func(*testing.T) login
		says    string // in the log
		because string // it is not ready
	}{
		{"NKey", nkey, "(Cannot reach NATS).*HOOKTAIL_NATS_NKEY", "waiting for NATS: HOOKTAIL_NATS_NKEY"},
		{"user and password", password, "(Cannot reach NATS).*HOOKTAIL_NATS_URL", "waiting for NATS: HOOKTAIL_NATS_URL"},
		{"certificates of another authority", certificates, "(Lost the connection to NATS)", "certificate"},
	} {
		first, second := tt.make(t), tt.make(t)
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			r := tenHooks(t, db)
			now := first.server
			s := natstest.Start(t, func(o *server.Options) { now(o) })
			dir := t.TempDir()
			variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always"}
			write := func(l login) {
				if _, has := l.files["URL"]; !has {
					l.files["URL"] = ""
				}
				for variable, content := range l.files {
					if variable == "URL" {
						content = "nats://" + content + strings.TrimPrefix(s.URL(), "nats://")
					}
					if err := os.WriteFile(filepath.Join(dir, variable), []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(first)
			for variable := range first.files {
				variables = append(variables, "HOOKTAIL_NATS_"+variable+"_FILE="+filepath.Join(dir, variable))
			}
			setUpOnce(t, db, variables...)
			p := startAlone(t, proctest.RoleEnviron(db, variables...))
			p.whenReady(t)
			db.Exec(t, annotate, 7)
			r.Wait(t, path(1), 1)
			s.Stop()
			now = second.server
			s.Start()
			p.err.Find(t, tt.says, p.ended)
			p.unready(t, tt.because)
			write(second)
			db.Exec(t, annotate, 7)
			r.Wait(t, path(1), 2)
		})
	}
}

// TestServerRefusesAMessage: a server that has lowered its limit ends the connection of who does not know
// it yet, and the client gives that connection up. The event arrives, and so do later ones.
func TestServerRefusesAMessage(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	s := natstest.Start(t, nil)
	start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL="+s.URL())
	db.Exec(t, annotate, 7)
	r.Wait(t, path(1), 1)
	s.Reload(func(o *server.Options) { o.MaxPayload = 2 << 10 })
	db.Exec(t, "UPDATE task_completion SET result = to_json(repeat('x', 6000)), updated_at = now() WHERE task_id = 7")
	r.Wait(t, path(1), 2)
	db.Exec(t, annotate, 7)
	r.Wait(t, path(1), 3)
}
