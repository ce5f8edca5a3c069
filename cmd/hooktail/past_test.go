package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// TestPastOfTheLog: what was delivered before the program started is in the history of its hook,
// from the log; who has the token sees it and sends it again, to the hook as it is now.
func TestPastOfTheLog(t *testing.T) {
	t.Parallel()
	const token = "correct-horse-battery"
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	variables := append(keeping(t), "HOOKTAIL_ADMIN_TOKEN="+token)
	first := start(t, db, variables...)
	id := db.QueryText(t, annotate, 7)
	middle := db.QueryText(t, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
	db.Exec(t, "DELETE FROM task_completion WHERE id = $1", id)
	copied(t, db, "task", 1, `{"data": {"text": "`+strings.Repeat("large ", 100<<10)+`"}}`)
	requests := takeOf(t, c, 6, 3)
	proctest.Confirmed(t, db)
	first.end(t)
	db.Exec(t, "UPDATE webhook SET url = replace(url, '/h/6', '/h/66') WHERE id = 6")
	p := start(t, db, variables...)
	past := func(query string) (got status.Past) {
		t.Helper()
		proctest.WaitFor(t, func() error {
			code, text := p.get(t, "/status/log?"+query)
			if err := json.Unmarshal([]byte(text), &got); err != nil || code != http.StatusOK {
				return fmt.Errorf("%d %s", code, text)
			}
			return nil
		})
		return got
	}
	all := past("hook=6").Events
	if _, memory := p.get(t, "/status/history?hook=6"); !strings.Contains(memory, `"attempts":[]`) {
		t.Errorf("the memory of the second program: %s", memory)
	}
	if len(all) != 3 {
		t.Fatalf("%d events in the log: %+v", len(all), all)
	}
	var ids []string
	for i, e := range all {
		sent := requests[len(requests)-1-i]
		ids = append(ids, e.Event)
		if large := i == 0; e.Event != sent.Headers["webhook-id"] || e.Committed.Format(mapping.CommittedLayout) != sent.Headers["hooktail-commit-time"] || e.Action != sent.Action || e.Hook != 6 || e.Position == 0 || e.Project == 0 || (e.Bytes == 0) != large {
			t.Errorf("%+v of %v", e, sent.Headers)
		}
	}
	for query, want := range map[string][]string{
		"action=ANNOTATION_CREATED":        ids[2:],
		"task=7":                           ids[1:],
		"event=" + ids[1]:                  ids[1:2],
		"limit=1":                          ids[:1],
		"since=" + url.QueryEscape(middle): ids[:2],
		"until=" + url.QueryEscape(middle): ids[2:],
		"task=999999":                      nil,
	} {
		got := past("hook=6&" + query)
		var have []string
		for _, e := range got.Events {
			have = append(have, e.Event)
		}
		if diff := cmp.Diff(want, have); diff != "" || got.More != (query == "limit=1") || got.Partial {
			t.Errorf("%s: more %v, partial %v (-want +got):\n%s", query, got.More, got.Partial, diff)
		}
	}
	if got := past("hook=1000"); len(got.Events) > 0 {
		t.Errorf("a hook without events has %+v", got)
	}
	for i, e := range all {
		path := fmt.Sprintf("/status/payload?hook=6&position=%d", e.Position)
		want := string(requests[len(requests)-1-i].Body)
		if code, body := p.getAs(t, path, p.ops, token); code != http.StatusOK || body != want {
			t.Errorf("%s: %d, %d bytes of %d", path, code, len(body), len(want))
		}
		if code, _ := p.get(t, path); code != http.StatusUnauthorized {
			t.Errorf("%s without token: %d", path, code)
		}
	}
	if code, _ := p.getAs(t, fmt.Sprintf("/status/payload?hook=1000&position=%d", all[1].Position), p.ops, token); code != http.StatusNotFound {
		t.Errorf("the payload for a hook that did not get it: %d", code)
	}
	again := func(position uint64) (int, string) {
		return p.act(t, token, fmt.Sprintf(`{"do": "resend", "hook": 6, "position": %d}`, position))
	}
	if code, text := again(all[1].Position); code != http.StatusOK || !strings.Contains(text, "answered 200") {
		t.Errorf("send again: %d %s", code, text)
	}
	got := ofHook(c.Take(), 66)
	if diff := cmp.Diff(sent(requests[1:2]), sent(got)); diff != "" || got[0].Headers["hooktail-origin"] != "replay" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
	if code, text := again(1 << 40); code != http.StatusUnprocessableEntity || !strings.Contains(text, "no longer has") {
		t.Errorf("of what is not there: %d %s", code, text)
	}
	must(t, proctest.RoleEnviron(db, variables...), "hooks", "set", "6", "--events=-ANNOTATIONS_DELETED")
	proctest.WaitFor(t, func() error {
		if code, text := again(all[1].Position); code != http.StatusUnprocessableEntity || !strings.Contains(text, "no longer wants") {
			return fmt.Errorf("of what it does not want: %d %s", code, text)
		}
		return nil
	})
	if report, _ := ask(t, p, "/status"); report.Log.Keep == nil || *report.Log.Keep != 3600 {
		t.Errorf("the report does not say how long events are kept: %+v", report.Log)
	}
}

// act does something on the page.
func (p *program) act(t *testing.T, token, body string) (code int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.ops+"/act", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(all)
}
