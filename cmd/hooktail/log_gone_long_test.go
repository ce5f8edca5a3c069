//go:build long

package main

import (
	"regexp"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestLogThatIsGone: when the bucket or the stream is deleted, the stream is created again,
// or its sequence begins anew, readers and senders end with exit code 3 and name it: those
// that run, and those that start. After `hooktail repair` events arrive again.
func TestLogThatIsGone(t *testing.T) {
	t.Parallel()
	remove := func(prefix string) func(*testing.T, *natstest.Server, *cdctest.Database, []string) {
		return func(t *testing.T, s *natstest.Server, db *cdctest.Database, _ []string) {
			t.Helper()
			s.DeleteStream(t, prefix+"HOOKTAIL_"+db.Name)
		}
	}
	for name, damage := range map[string]struct {
		do   func(*testing.T, *natstest.Server, *cdctest.Database, []string)
		want string
	}{
		"bucket deleted": {remove("KV_"), `the bookmarks were deleted \(bucket HOOKTAIL_\w+\)`},
		"stream deleted": {remove(""), `the log was deleted \(stream HOOKTAIL_\w+\)`},
		"stream created again": {func(t *testing.T, s *natstest.Server, db *cdctest.Database, environ []string) {
			t.Helper()
			remove("")(t, s, db, nil)
			must(t, environ, "setup")
		}, `the log was (deleted|created again) \(stream HOOKTAIL_\w+\)`},
		"sequence begins anew": {func(t *testing.T, _ *natstest.Server, db *cdctest.Database, _ []string) {
			t.Helper()
			db.Exec(t, "UPDATE hooktail.log_stream SET seq = 1000000") // as if the stream had been that far
		}, `the log has lost its end \(stream HOOKTAIL_\w+ ends at sequence \d+, and has had 1000000\)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			r := tenHooks(t, db)
			s := natstest.Start(t, nil)
			variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + s.URL()}
			as := func(role string) *program {
				return startAlone(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_ROLE="+role)...))
			}
			ends := func(role string, p *program) {
				t.Helper()
				<-p.ended
				if said := p.err.String(); p.code != exitGap || !regexp.MustCompile(damage.want+`[^\n]*run .hooktail repair`).MatchString(said) {
					t.Errorf("%s: exit code %d:\n%s", role, p.code, said)
				}
			}
			arrives := func(events int) {
				t.Helper()
				db.Exec(t, annotate, 7)
				r.Wait(t, path(1), events)
			}
			setUpOnce(t, db, variables...)
			reader, sender := as("reader"), as("sender")
			reader.whenReady(t)
			sender.whenReady(t)
			arrives(1)
			damage.do(t, s, db, proctest.Environ(db, variables...))
			ends("running reader", reader)
			ends("running sender", sender)
			for _, role := range []string{"reader", "sender", "both"} {
				ends(role+" that starts", as(role))
			}

			must(t, proctest.Environ(db, variables...), "repair")
			both := as("both")
			both.whenReady(t)
			arrives(2)
			damage.do(t, s, db, proctest.Environ(db, variables...))
			ends("running reader and sender", both)
		})
	}
}
