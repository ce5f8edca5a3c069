//go:build long

package main

import (
	"errors"
	"regexp"
	"strings"
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

// TestHoleInTheLog: a message that is removed stops its partition alone, which says so, until
// somebody repairs it; and a stream that was deleted ends the program with exit code 3.
func TestHoleInTheLog(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	server := natstest.Start(t, nil)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + server.URL()}
	setUpOnce(t, db, variables...)
	reader := startAs(t, db, []string{"run"}, append(variables, "HOOKTAIL_ROLE=reader")...)
	for range 3 {
		db.Exec(t, annotate, 7)
		proctest.Confirmed(t, db)
	}
	stream := server.Stream(t, "HOOKTAIL_"+db.Name)
	for seq := uint64(1); ; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(m.Subject, ".02") && strings.HasPrefix(m.Header.Get("Ht-Before"), "1-") { // behind another event
			if err := stream.DeleteMsg(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	sender := startAlone(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_ROLE=sender")...))
	r.Wait(t, path(1), 3)
	proctest.WaitFor(t, func() error {
		if !strings.Contains(sender.err.String(), "Gap in the log: a partition has stopped") {
			return errors.New("the gap is not named")
		}
		return nil
	})
	if n := len(r.Requests(path(2))); n != 1 {
		t.Errorf("the hook behind the gap has got %d requests", n)
	}
	if said := must(t, proctest.RoleEnviron(db, variables...), "repair"); !strings.Contains(said, "partition 02 of the log: message 1-") {
		t.Errorf("repair says:\n%s", said)
	}
	r.Wait(t, path(2), 2)

	server.DeleteStream(t, "HOOKTAIL_"+db.Name)
	<-reader.ended
	if reader.code != 3 || !strings.Contains(reader.err.String(), "the log was deleted") {
		t.Errorf("exit code %d:\n%s", reader.code, reader.err)
	}
}
