//go:build external

package pagetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }

const token = "correct-horse-battery"

// hostile is markup that would run a script wherever it is taken for markup.
const hostile = `"><script>window.pwned=1</script><img src=x onerror=window.pwned=1><a href="javascript:window.pwned=1">`

// scene is a program with hooks of all kinds.
type scene struct {
	db *cdctest.Database
	p  *proctest.Program
}

// newScene makes the hooks and runs the program: 1 is healthy, 2 answers with
// markup, 3 has a URL of markup, 4 one of javascript:, and an action of markup; no
// action is for 5.
func newScene(t *testing.T, variables ...string) *scene {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/h/1") {
			_, _ = w.Write([]byte("thank you")) // the sender may have gone
			return
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(hostile))
	}))
	t.Cleanup(receiver.Close)
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	for id, url := range []string{1: receiver.URL + "/h/1?key=hush-hush", 2: receiver.URL + "/h/2", 3: receiver.URL + "/h/3/" + hostile, 4: "javascript:window.pwned=1", 5: receiver.URL + "/h/5"} {
		if url != "" {
			db.Exec(t, `INSERT INTO webhook (id, url, organization_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
				VALUES ($1, $2, 1, true, $3, '{"X-Key": "opensesame"}', true, now() - interval '1 day', now())`, id, url, id < 4)
		}
	}
	db.Exec(t, `INSERT INTO webhook_action (webhook_id, action) VALUES (4, $1), (4, 'ANNOTATION_CREATED')`, hostile)
	return &scene{db: db, p: proctest.Run(t, db, append(variables, "HOOKTAIL_SETTLE=0", "HOOKTAIL_ADMIN_TOKEN="+token)...)}
}

// annotate makes so many annotations, each of another task.
func (s *scene) annotate(t *testing.T, n int) {
	t.Helper()
	s.db.Exec(t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT '[]', id, project_id, 1, 1, false, false, now(), now(), '{}', 0, false FROM task ORDER BY id LIMIT $1`, n)
}

// row is the selector of a hook's row.
func row(hook int) string { return fmt.Sprintf("#hooks tr[data-hook='%d']", hook) }

// TestWithChromiumThePage goes through the page as an operator does, in one browser.
func TestWithChromiumThePage(t *testing.T) {
	s := newScene(t)
	b := startBrowser(t)
	b.size(1280, 900)
	b.run(`window.location.href = "http://` + s.p.Ops + `/"`)

	b.waitText("#role", "leader")
	b.waitText(row(1), "live")
	b.waitText("#no-recent", "Nothing has been sent")
	b.run("window.loaded = 1")

	s.annotate(t, 8)
	b.waitText(row(1)+" td.delivered", "8")
	b.waitText(row(2), "failing")
	b.waitText(row(4), "refused")
	b.waitText("#verdict", "hooks need you")
	b.wait("document.title", "▲")
	b.wait("document.querySelectorAll('#recent details').length >= 10", "true")
	b.wait("window.loaded", "1") // all that without loading anew
	if b.asked("/status/live") == 0 {
		t.Error("the page asks, and is not told")
	}

	t.Run("first", func(t *testing.T) { first(t, b) })
	t.Run("chosen", func(t *testing.T) { chosen(t, b, s) })
	t.Run("filter", func(t *testing.T) { filter(t, b) })
	t.Run("masked", func(t *testing.T) { masked(t, b) })
	t.Run("looks", func(t *testing.T) { looks(t, b) })
	if said := b.said(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
	t.Run("act", func(t *testing.T) { act(t, b) })
	t.Run("narrow, logged in", func(t *testing.T) { looks(t, b) })
	t.Run("hostile", func(t *testing.T) { nothingRuns(t, b) })
	b.t = t
	b.askedOnly(s.p.Ops)
	t.Run("polls", func(t *testing.T) { polls(t, b, s) })
	b.t = t
	text := b.eval("document.documentElement.outerHTML")
	for _, secret := range []string{"hush-hush", "opensesame", token} {
		if strings.Contains(text, secret) {
			t.Errorf("the page has the secret %s", secret)
		}
	}
}

// TestWithChromiumParked: hooks with parked deliveries are not among those that work, though
// they need nobody.
func TestWithChromiumParked(t *testing.T) {
	s := newScene(t)
	s.db.Exec(t, "DELETE FROM webhook_action")
	s.db.Exec(t, "DELETE FROM webhook WHERE id > 1")
	b := startBrowser(t)
	b.run(`window.location.href = "http://` + s.p.Ops + `/"`)
	b.waitText("#verdict", "The hook is working.")
	s.db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, paused) VALUES (1, true)")
	b.waitText(row(1), "paused")
	s.annotate(t, 1)
	b.waitText("#verdict", "1 of 1 hook has parked deliveries.")
}

// first: what needs a person is seen first, each hook in one line, and a hook that nothing
// is for is not in order.
func first(t *testing.T, b *browser) {
	b.t = t
	b.wait(`[...document.querySelectorAll("#hooks tbody .state")].map(e => e.innerText).join()`, "failing,failing,refused,live,no action")
	if lines := b.eval(`Math.max(...[...document.querySelectorAll("#hooks tbody tr")].map(e => e.offsetHeight))`); len(lines) > 2 || lines > "44" {
		t.Errorf("a hook's line is %s pixels high", lines)
	}
	if tone := b.eval(`document.querySelector("` + row(5) + ` .state").className`); tone != "state off" {
		t.Errorf("a hook without actions is %s", tone)
	}
	b.waitText(row(1)+" td.hour", "100 %")
	b.wait(`document.querySelector("`+row(1)+` .pulse svg").ariaLabel`, "8 delivered and 0 failed")
	b.click("#verdict a")
	b.waitText("#hook-title", "Hook 2")
	b.waitText("#hook-state", "every attempt fails")
	b.click("#all-hooks")
}

// chosen: a hook's page shows what people chose for it, and the search offers the actions
// that it gets by their names.
func chosen(t *testing.T, b *browser, s *scene) {
	b.t = t
	s.db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, events_added, events_removed, filter, rate, format)
		VALUES (1, '{MODEL_OUTDATED,TASK_COMPLETED}', '{TASK_COMPLETED,TASK_CREATED}', 'action != "<script>"', '10000/s', 'cloudevents')`)
	b.waitText(row(1)+" .wants", "all actions without TASK_COMPLETED, TASK_CREATED, MODEL_OUTDATED · filtered · 10000/s · cloudevents")
	b.wait(`[...document.querySelectorAll("#filter [name=action] option")].some(o => o.value === "MODEL_OUTDATED")`, "true")
	b.click(row(1) + " a.id")
	b.waitText("#hook-title", "Hook 1")
	for name, value := range map[string]string{"Filter": `action != "<script>"`, "Rate": "at most 10000/s", "Form": "CloudEvents 1.0, binary"} {
		b.wait(fmt.Sprintf(`[...document.querySelectorAll("#hook-facts div")].some(e => e.innerText.startsWith(%q) && e.innerText.includes(%q))`, name, value), "true")
	}
	b.click("#all-hooks")
	s.db.Exec(t, "DELETE FROM hooktail.hook_setting WHERE hook_id = 1")
	b.wait(fmt.Sprintf(`document.querySelector("%s .wants").innerText`, row(1)), "all actions")
}

func filter(t *testing.T, b *browser) {
	b.t = t
	outcomes := `[...new Set([...document.querySelectorAll("#recent .outcome")].map(e => e.innerText))].sort().join()`
	b.wait(outcomes, "delivered,retried")
	set := func(name, value string) {
		b.run(fmt.Sprintf(`const s = document.querySelector("#filter select[name=%s]"); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true}))`, name, value))
	}
	set("outcome", "delivered")
	b.wait(outcomes, "delivered")
	if got := b.eval(outcomes); got != "delivered" {
		t.Errorf("outcomes %s", got)
	}
	set("hook", "2")
	b.waitText("#no-recent", "None of the last deliveries")
	set("outcome", "retried")
	b.wait(`[...new Set([...document.querySelectorAll("#recent .hook")].map(e => e.textContent))].join("+")`, "2")
	b.wait("location.hash", "hook=2&outcome=retried")
	set("action", "ANNOTATION_CREATED")
	b.wait(`document.querySelectorAll("#recent details").length > 0`, "true")
	b.click("#clear")
	b.wait(outcomes, "delivered,retried")
	b.wait(`location.hash + "."`, ".")
	search(t, b)
	b.click(row(1) + " a.id")
	b.wait("document.querySelector('#filter select').value", "1")
	b.click("#clear")
}

// search finds what became of one annotation, whoever got it.
func search(t *testing.T, b *browser) {
	b.t = t
	set := func(name, value string) {
		b.run(fmt.Sprintf(`const s = document.querySelector("#filter [name=%s]"); s.value = %q; s.dispatchEvent(new Event("change", {bubbles: true}))`, name, value))
	}
	set("task", "1")
	b.wait(`[...new Set([...document.querySelectorAll("#recent .task")].map(e => e.textContent))].join("+")`, "task 1")
	// The page may be drawn again between two looks.
	var annotation, event string
	proctest.WaitFor(t, func() error {
		b.run(`document.querySelector("#recent details").open = true`)
		shown := b.eval(`(document.querySelector("#recent .more")?.innerText.match(/annotation (\d+)/)?.[1] ?? "") + " " + (document.querySelector("#recent .more .mono")?.innerText ?? "")`)
		if annotation, event, _ = strings.Cut(shown, " "); annotation == "" || event == "" {
			return fmt.Errorf("the delivery shows %q, want its annotation and its event", shown)
		}
		return nil
	})
	set("task", "")
	set("annotation", annotation)
	b.wait(`document.querySelectorAll("#recent details").length`, "3") // hook 4 had no request, of whose body it would be known
	set("annotation", "")
	set("event", event)
	b.wait(`document.querySelectorAll("#recent details").length`, "4")
	set("until", "2020-01-01T00:00")
	b.waitText("#no-recent", "None of the last deliveries")
	b.click("#clear")
	b.wait(`location.hash + "."`, ".")
}

// masked: without the token neither paths of URLs nor answers are shown.
func masked(t *testing.T, b *browser) {
	b.t = t
	b.waitText(row(2)+" td.error", "422")
	b.waitText(row(1), "/***")
	b.run(`for (const d of document.querySelectorAll("#recent details")) d.open = true`)
	b.wait(`document.querySelector("#recent .more").innerText`, "/***")
	for _, hidden := range []string{"/h/1", "/h/2", "thank you"} {
		if got := b.eval(fmt.Sprintf("document.querySelector('main').innerText.includes(%q)", hidden)); got != "false" {
			t.Errorf("%s is shown", hidden)
		}
	}
	if got := b.eval("document.querySelector(" + fmt.Sprintf("%q", row(2)+" td.error") + ").innerText.includes('script')"); got != "false" {
		t.Error("an answer is shown")
	}
	b.run(`for (const d of document.querySelectorAll("#recent details")) d.open = false`)
}

// nothingRuns: what others wrote is shown as it is, and is no script.
func nothingRuns(t *testing.T, b *browser) {
	b.t = t
	b.waitText(row(2)+" td.error", "<script>window.pwned=1</script>")
	b.waitText(row(3), "/h/3/")
	b.waitText(row(4), "(no usable URL)")
	b.waitText(row(4)+" td.wants", `<img src=x onerror=window.pwned=1>`)
	b.run(`for (const d of document.querySelectorAll("#recent details")) d.open = true`)
	b.wait(`document.querySelector("#recent .more").innerText`, "X-Key: ***")
	for expression, want := range map[string]string{
		"typeof window.pwned": "undefined",
		`document.querySelectorAll("main img, main script").length`:    "0",
		`document.querySelectorAll("a[href^='javascript:']").length`:   "0",
		`document.querySelectorAll("[onerror], [onclick]").length`:     "0",
		`document.querySelector("script:not([src])")`:                  "null",
		`document.querySelector("#recent").innerText.includes("hush")`: "false",
	} {
		if got := b.eval(expression); got != want {
			t.Errorf("%s is %s, want %s", expression, got, want)
		}
	}
}

// looks: nothing is wider than a phone, in light and dark, and each state has a word.
func looks(t *testing.T, b *browser) {
	b.t = t
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		for _, width := range []int64{320, 390, 760, 761, 1000, 1100, 1101, 1280, 1920} {
			b.size(width, 900)
			if over := b.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth"); over != "0" {
				t.Errorf("%s, %d wide: %s pixels are beyond the edge", scheme, width, over)
			}
		}
	}
	dark := b.eval("getComputedStyle(document.documentElement).backgroundColor")
	b.scheme("light")
	if light := b.eval("getComputedStyle(document.documentElement).backgroundColor"); light == dark {
		t.Errorf("the ground is %s in light and dark", light)
	}
	if bare := b.eval(`[...document.querySelectorAll(".state")].filter(e => e.checkVisibility() && !e.innerText.trim() || !e.querySelector("svg")).length`); bare != "0" {
		t.Errorf("%s states have no word or no shape", bare)
	}
	for _, nameless := range []string{
		`[...document.querySelectorAll("button, select, input")].filter(e => e.checkVisibility() && !(e.ariaLabel || e.innerText.trim() || e.labels?.length)).length`,
		`document.querySelectorAll("table:not([aria-labelledby])").length`,
	} {
		if n := b.eval(nameless); n != "0" {
			t.Errorf("%s is %s", nameless, n)
		}
	}
}

// act: without the token nothing can be done, with it everything.
func act(t *testing.T, b *browser) {
	b.t = t
	if n := b.eval(`document.querySelectorAll("td.act button").length`); n != "0" {
		t.Errorf("%s buttons without the token", n)
	}
	post := `(body => { window.answered = 0; fetch("/act", {method: "POST", headers: {"Content-Type": "application/json"}, body}).then(r => { window.answered = r.status }) })`
	b.eval(post + `('{"do": "pause", "hook": 1}')`)
	b.wait("window.answered", "401")

	b.click("#login")
	b.logIn("wrong-" + token)
	b.waitText("#login-fault", "wrong token")
	b.logIn(token)
	b.waitText("#logout", "Log out")
	if cookie := b.eval("document.cookie + '.'"); cookie != "." {
		t.Errorf("a script can read the cookie %s", cookie)
	}
	b.eval(post + `('{"do": "pause", "hook": 1}')`) // a session alone does not do: its word is missing
	b.wait("window.answered", "403")
	var said []string
	proctest.WaitFor(t, func() error {
		if said = append(said, b.said()...); len(said) < 3 {
			return fmt.Errorf("the console says %q, want the three refusals", said)
		}
		return nil
	})
	if len(said) > 3 {
		t.Errorf("the console says more than the three refusals: %q", said)
	}

	b.click(row(1) + " a.id")
	b.waitText("#hook-title", "Hook 1")
	b.click("#hook-acts [data-act=pause]")
	b.waitText("#hook-state", "paused")
	b.click("#hook-acts [data-act=resume]")
	b.waitText("#hook-state", "live")
	b.click("#hook-acts [data-act=ping]")
	b.waitText("#show-title", "hook 1 answered 200")
	b.waitText("#show-body", "thank you")
	b.click("#show-dialog .close")
	handOver(b)
	backfill(b)
	b.click("#all-hooks")

	b.waitText("#stored", "dead") // 422 five times
	b.click("#stored tbody tr td.act button")
	b.waitText("#show-body", `"action": "ANNOTATION_CREATED"`)
	b.click("#show-dialog .close")
	b.run(`location.hash = "#hook=4&action=ANNOTATION_CREATED&outcome=dead"`)
	b.waitText("#stored-acts", "Redrive all dead of this search")
	b.click("#stored-acts button")
	b.waitText("#ask-title", "Redrive 8 deliveries?")
	b.click("#ask-dialog .close")
	b.click("#all-hooks")
	b.click(row(4) + " a.id")
	b.click("#hook-acts [data-act=discard]")
	b.waitText("#ask-title", "Discard 8 deliveries?")
	b.click("#ask-dialog .close")
	b.click("#hook-acts [data-act=discard]")
	b.click("#ask-yes")
	b.waitText("#toast", "8 deliveries discarded")
	b.wait(`document.querySelector("#hook-acts [data-act=discard]")`, "null")
	b.click("#all-hooks")
	b.waitText(row(4)+" td.dead", "0")

	b.run(`location.hash = "#hook=1"`)
	b.waitText("#recent-title", "Deliveries of the last day")
	b.wait(`[...document.querySelectorAll("#recent .hook")].map(e => e.textContent).join("")`, "11111111")
	b.run(`document.querySelector("#recent details").open = true`)
	b.click("#recent .more button[aria-label^='Send again']")
	b.waitText("#ask-title", "Send it again?")
	b.click("#ask-yes")
	b.waitText("#show-title", "hook 1 answered 200")
	b.waitText("#show-body", `"action": "ANNOTATION_CREATED"`)
	b.click("#show-dialog .close")
	b.click("#recent .more button") // of a payload that is remembered
	b.waitText("#show-body", `"action":`)
	b.click("#show-dialog .close")
	if said := b.said(); len(said) > 0 {
		t.Errorf("the console says %q", said)
	}
}

// polls: where the server cannot tell the page anything, the page asks.
func polls(t *testing.T, b *browser, s *scene) {
	b.t = t
	b.block("*://*:*/status/live*")
	b.do(chromedp.Navigate("http://" + s.p.Ops + "/"))
	b.waitText(row(1)+" td.delivered", "8")
	s.annotate(t, 8)
	b.waitText(row(1)+" td.delivered", "16")
	before := b.asked("/status")
	proctest.WaitFor(t, func() error {
		if n := b.asked("/status") - before; n < 3 {
			return fmt.Errorf("the page has asked %d times more: is it told all the same?", n)
		}
		return nil
	})
	for _, text := range b.said() {
		if !strings.Contains(text, "ERR_BLOCKED") {
			t.Errorf("the console says %q", text)
		}
	}
}

// handOver adopts hook 1 on its page, and gives it back.
func handOver(b *browser) {
	b.click("#hook-acts [data-act=adopt]")
	b.waitText("#ask-title", "Adopt hook 1?")
	b.click("#ask-yes")
	b.waitText("#toast", "hook 1 is adopted")
	b.waitText("#hook-facts", "hooktail alone")
	b.click("#hook-acts [data-act=release]")
	b.click("#ask-yes")
	b.waitText("#toast", "hook 1 is released")
	b.waitText("#hook-facts", "it is active in Label Studio")
}

// backfill sends hook 1 the annotations of project 1 once more, and follows it.
func backfill(b *browser) {
	b.click("#hook-acts [data-act=backfill]")
	b.waitText("#backfill-title", "Backfill hook 1")
	b.run(`const f = document.querySelector("#backfill-form").elements; f.project.value = 1; f.action.value = "ANNOTATION_CREATED"`)
	b.click("#backfill-ask")
	b.waitText("#backfill-count", "hook 1 would get events of up to")
	b.click("#backfill-form .main")
	b.waitText("#hook-backfill", "has ended")
	b.wait(`/ended: ([1-9]\d*) of \1 rows/.test(document.querySelector("#hook-backfill").innerText)`, "true")
}
