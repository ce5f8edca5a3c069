//go:build external

package pagetest

import (
	"strconv"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithChromiumManyHooks: of many hooks the page has the first, names those that need
// a person, and finds the others; what it is told does not grow with their number.
func TestWithChromiumManyHooks(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT id, CASE WHEN id % 100 = 0 THEN 'javascript:1' ELSE 'http://receiver-' || id || '.example/' END, 1, true, true, '{}', true, now(), now()
		FROM generate_series(1, 1000) AS id`)
	p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
	b := startBrowser(t)
	b.size(1280, 900)
	b.run(`window.location.href = "http://` + p.Ops + `/"`)

	rows := `document.querySelectorAll("#hooks tbody tr").length`
	b.wait(rows, "100")
	b.waitText("#verdict", "10 of 1,000 hooks need you: 100, 200, 300, 400, 500, 600 and 4 others refused")
	b.waitText("#hooks tbody tr", "refused")
	b.waitText("#found", "100 of 1,000 hooks")
	looks(t, b)
	b.run(axe(t))
	b.size(390, 900)
	b.audit(t, "many hooks")
	b.size(1280, 900)
	b.click("#more-hooks")
	b.wait(rows, "200")

	find := func(text string) {
		b.run(`const f = document.querySelector("#find-text"); f.value = ` + strconv.Quote(text) + `; f.dispatchEvent(new Event("input", {bubbles: true}))`)
	}
	find("receiver-77")
	b.wait(rows+` + "."`, "11.")
	b.waitText("#found", "11 of 1,000 hooks")
	find("nowhere")
	b.waitText("#no-hooks", "No hook is like that")
	find("")
	b.wait(rows, "100")

	b.run(`location.hash = "#hook=999"`) // which the table does not have
	b.waitText("#hook-facts", "receiver-999.example")
	b.click("#all-hooks")
	b.wait(rows, "100")
	b.waitText("#find", "Find hooks")
	if said := b.said(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
	_, body := p.Get(t, "/status?pulses=1&hooks=100")
	if _, all := p.Get(t, "/status?pulses=1"); len(body) > len(all)/5 {
		t.Errorf("100 of 1,000 hooks are told in %d bytes, all in %d", len(body), len(all))
	}
}
