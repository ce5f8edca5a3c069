//go:build external

package pagetest

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestWithChromiumTheLog: the pages of a reader and of a sender show the log and each other,
// and that of a sender the hooks as well.
func TestWithChromiumTheLog(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL()}
	proctest.SetUp(t, db, variables...)
	run := func(role string) *proctest.Program {
		p := proctest.Start(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_ROLE="+role)...), "run")
		p.Ready(t)
		return p
	}
	reader, sender := run("reader"), run("sender")
	b := startBrowser(t)
	b.size(1280, 900)
	b.run(`window.location.href = "http://` + sender.Ops + `/"`)
	b.waitText("#role", "sender")
	b.waitText("#log-members", "this instance, 64 partitions, epoch ")
	b.waitText("#log-lag", "nothing")
	b.waitText("#hooks tbody", "live")
	b.wait("document.querySelector('#stream').hidden", "true")
	t.Run("the sender's looks", func(t *testing.T) { looks(t, b) })
	b.t = t
	b.run(`window.location.href = "http://` + reader.Ops + `/"`)
	b.waitText("#role", "reader")
	b.waitText("#verdict", "reads the slot into the log")
	b.waitText("#log-members", "this instance")
	b.waitText("#log-position", "held back")
	b.wait("document.querySelector('#leading').hidden", "true")
	if said := b.said(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
}
