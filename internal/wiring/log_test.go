package wiring_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
	"github.com/hooktail/hooktail/internal/wiring"
)

// TestNATSLogin connects with each kind of login and certificate, right and wrong. A
// wrong one is a *config.Error that names the variable and the remedy, and never shows a
// secret.
func TestNATSLogin(t *testing.T) {
	t.Parallel()
	const password = "pa55word"
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	authority, other := natstest.NewAuthority(t), natstest.NewAuthority(t)
	certificate, key := authority.Pair(later)
	foreign, foreignKey := other.Pair(later)
	seed, public := natstest.NKey(t)
	stranger, _ := natstest.NKey(t)
	operator := natstest.NewOperator(t)
	creds, expired := operator.Credentials(later), operator.Credentials(before)
	users := func(o *server.Options) {
		o.Users = []*server.User{{Username: "ht", Password: password}}
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
	}
	tests := []struct {
		name    string
		options func(*server.Options)
		user    string // in the URL
		in      []string
		want    string // in the error; "": there is none
	}{
		{"no login", nil, "", nil, ""},
		{"user", users, "ht:" + password + "@", nil, ""},
		{"wrong user", users, "ht:" + password + "x@", nil, "HOOKTAIL_NATS_URL: the NATS server refuses user and password"},
		{"user missing", users, "", nil, "HOOKTAIL_NATS_URL: the NATS server requires a login: set HOOKTAIL_NATS_CREDS or HOOKTAIL_NATS_NKEY"},
		{"NKey", users, "", []string{"HOOKTAIL_NATS_NKEY=" + seed}, ""},
		{"wrong NKey", users, "", []string{"HOOKTAIL_NATS_NKEY=" + stranger}, "HOOKTAIL_NATS_NKEY: the NATS server refuses the NKey"},
		{"NKey that nobody needs", nil, "", []string{"HOOKTAIL_NATS_NKEY=" + seed}, "HOOKTAIL_NATS_NKEY: the NATS server has no users with NKeys"},
		{"credentials", operator.Server, "", []string{"HOOKTAIL_NATS_CREDS=" + creds}, ""},
		{"credentials that have expired", operator.Server, "", []string{"HOOKTAIL_NATS_CREDS=" + expired}, "HOOKTAIL_NATS_CREDS: the credentials expired at " + before.UTC().Format(time.RFC3339)},
		{"credentials of another operator", natstest.NewOperator(t).Server, "", []string{"HOOKTAIL_NATS_CREDS=" + creds}, "HOOKTAIL_NATS_CREDS: the NATS server refuses the credentials"},
		{"authority", authority.Server(later, false), "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM}, ""},
		{"unknown authority", authority.Server(later, false), "", nil, "HOOKTAIL_NATS_CA: the certificate of the NATS server is signed by an unknown authority"},
		{"another authority", authority.Server(later, false), "", []string{"HOOKTAIL_NATS_CA=" + other.PEM}, "HOOKTAIL_NATS_CA: the certificate of the NATS server"},
		{"certificate that has expired", authority.Server(before, false), "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM}, "HOOKTAIL_NATS_URL: the certificate of the NATS server has expired"},
		{"no TLS", nil, "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM}, "HOOKTAIL_NATS_URL: the NATS server has no TLS"},
		{"client certificate", authority.Server(later, true), "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM, "HOOKTAIL_NATS_CERT=" + certificate, "HOOKTAIL_NATS_KEY=" + key}, ""},
		{"client certificate missing", authority.Server(later, true), "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM}, "HOOKTAIL_NATS_CERT: the NATS server refuses the connection"},
		{"client certificate of another authority", authority.Server(later, true), "", []string{"HOOKTAIL_NATS_CA=" + authority.PEM, "HOOKTAIL_NATS_CERT=" + foreign, "HOOKTAIL_NATS_KEY=" + foreignKey}, "HOOKTAIL_NATS_CERT: the NATS server refuses the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := strings.Replace(natstest.Start(t, tt.options).URL(), "://", "://"+tt.user, 1)
			cfg, err := config.Load(append([]string{"HOOKTAIL_DATABASE_URL=postgres://a", "HOOKTAIL_NATS_URL=" + url}, tt.in...))
			if err != nil {
				t.Fatal(err)
			}
			var lines bytes.Buffer
			log, err := wiring.OpenLog(cfg, slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
			if err == nil {
				err = log.SetUp(t.Context())
				log.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "":
				if _, invalid := errors.AsType[*config.Error](err); !invalid || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("error %v, want a *config.Error: %s", err, tt.want)
				}
				for _, secret := range []string{password, seed, stranger, secretOf(creds), secretOf(expired), secretOf(key), secretOf(foreignKey)} {
					if strings.Contains(err.Error()+lines.String(), secret) {
						t.Errorf("a secret is shown: %v\n%s", err, &lines)
					}
				}
			}
		})
	}
}

// TestNATSAway: a server that does not answer is waited for, whatever the login.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	s.Stop()
	cfg, err := config.Load([]string{"HOOKTAIL_DATABASE_URL=postgres://a", "HOOKTAIL_NATS_URL=nats://ht:pa55word@" + strings.TrimPrefix(s.URL(), "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = wiring.OpenLog(cfg, slog.New(slog.DiscardHandler))
	if _, invalid := errors.AsType[*config.Error](err); err == nil || invalid || strings.Contains(err.Error(), "pa55word") {
		t.Errorf("error %v, want one that passes", err)
	}
}

// secretOf returns the line with a credentials file's seed, or with a key.
func secretOf(file string) string {
	for block := range strings.SplitSeq(file, "-----BEGIN ") {
		if label, text, _ := strings.Cut(block, "-----\n"); label == "USER NKEY SEED" || label == "PRIVATE KEY" {
			line, _, _ := strings.Cut(text, "\n")
			return line
		}
	}
	panic("no secret in the file")
}
