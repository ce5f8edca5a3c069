//go:build external

package pagetest

import (
	"fmt"
	"strings"
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

// TestWithChromiumThePast: after a restart, a hook's page has what the log keeps, for those who
// have the token with payload and another delivery.
func TestWithChromiumThePast(t *testing.T) {
	variables := []string{"HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL(), "HOOKTAIL_KEEP=1h", "HOOKTAIL_ADMIN_TOKEN=" + token, "HOOKTAIL_SETTLE=0"}
	s := newScene(t, variables...)
	s.annotate(t, 8)
	proctest.WaitFor(t, func() error {
		if _, body := s.p.Get(t, "/status/history?hook=1"); strings.Count(body, `"outcome":"delivered"`) != 8 {
			return fmt.Errorf("not all is delivered: %s", body)
		}
		return nil
	})
	s.p.Stop()
	s.p.Wait(t)
	p := proctest.Start(t, proctest.RoleEnviron(s.db, variables...), "run")
	p.Ready(t)
	b := startBrowser(t)
	b.size(1280, 900)
	b.run(`window.location.href = "http://` + p.Ops + `/#hook=1"`)
	const lines = "document.querySelectorAll('#past tbody tr').length"
	b.waitText("#past-about", "8 more events for this hook")
	b.wait(lines, "8")
	b.waitText("#past tbody", "ANNOTATION_CREATED")
	b.wait("document.querySelectorAll('#past button').length", "0")
	set := func(name, value string) {
		b.run(fmt.Sprintf(`const s = document.querySelector("#filter [name=%s]"); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true}))`, name, value))
	}
	b.wait("document.querySelector('#filter select').value", "1")
	set("task", "1")
	b.wait(lines, "1")
	set("until", "2020-01-01T00:00")
	b.waitText("#past-about", "The log has no other events like that.")
	set("until", "")
	set("outcome", "delivered") // which the log does not know
	b.wait("document.querySelector('#past-section').hidden", "true")
	set("outcome", "")
	b.click("#login")
	b.run(fmt.Sprintf(`const f = document.querySelector("#login-form"); f.elements.token.value = %q; f.requestSubmit()`, token))
	b.click("#past button[aria-label^='Payload']")
	b.waitText("#show-body", `"action": "ANNOTATION_CREATED"`)
	b.click("#show-dialog .close")
	b.click("#past button[aria-label^='Send again']")
	b.click("#ask-yes")
	b.waitText("#show-text", "POST http")
	b.waitText("#show-body", "hooktail-origin")
	b.click("#show-dialog .close")
	looks(t, b)
	if said := b.said(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
}
