package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/replay"
)

// TestChoiceAppliesInOrder: a setting changed between two events applies exactly between
// them, also for a hooktail that was not there meanwhile; another hook does not feel it.
func TestChoiceAppliesInOrder(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		t.Run(map[bool]string{false: "running", true: "away"}[away], func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			p := start(t, db, "HOOKTAIL_SETTLE=0")
			if away {
				delivered(t, db)
				p.end(t)
			}
			var annotations []string
			annotateOnce := func() { annotations = append(annotations, db.QueryText(t, annotate, 7)) }
			set := func(args ...string) {
				must(t, proctest.RoleEnviron(db), append([]string{"hooks", "set", "1"}, args...)...)
			}
			annotateOnce() // 0: sent
			set("--filter", "annotation.id < 0")
			annotateOnce() // 1: left out
			set("--filter", "annotation.nothing == 1")
			annotateOnce() // 2: sent, since it fails
			set("--events", "-ANNOTATION_CREATED", "--filter", "none")
			annotateOnce() // 3: not wanted
			set("--events", "none", "--filter", `action == "ANNOTATION_CREATED" && task.id == 7 && project.id == 1`)
			annotateOnce() // 4: sent
			if away {
				p = start(t, db, "HOOKTAIL_SETTLE=0")
			}
			delivered(t, db)
			requests := c.Take()
			for hook, want := range map[int64][]int{1: {0, 2, 4}, 6: {0, 1, 2, 3, 4}} {
				got := []int{}
				for _, annotation := range annotationsOf(t, requests, hook) {
					got = append(got, slices.Index(annotations, annotation))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("annotations at hook %d (-want +got):\n%s", hook, diff)
				}
			}
			_, metrics := p.get(t, "/metrics")
			for _, want := range []string{
				`hooktail_deliveries_total{action="ANNOTATION_CREATED",hook="1",outcome="filtered"} 1`,
				`hooktail_filter_failures_total{hook="1"} 1`,
			} {
				if !strings.Contains(metrics, want+"\n") {
					t.Errorf("no %s", want)
				}
			}
			if strings.Contains(metrics, `hook="6",outcome="filtered"`) {
				t.Error("a hook without a filter has a series of what is filtered")
			}
		})
	}
}

// TestFilterOfAHookWithoutPayload is over the whole body all the same.
func TestFilterOfAHookWithoutPayload(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	must(t, proctest.RoleEnviron(db), "hooks", "set", "2", "--filter", "task.id == 7")
	for _, task := range []int{6, 7, 6} {
		db.QueryText(t, annotate, task)
	}
	delivered(t, db)
	requests := slices.DeleteFunc(c.Take(), func(r conformance.Request) bool { return r.Hook != 2 }) // send_payload=false
	if len(requests) != 1 || strings.Contains(string(requests[0].Body), "task") {
		t.Errorf("%d requests: %v", len(requests), requests)
	}
}

// TestHandWrittenFilter: one that does not compile lets everything through, and is named.
func TestHandWrittenFilter(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, filter, rate, events_removed) VALUES (1, 'annotation.id =', 'fast', '{TASK_CREATED}')")
	annotation := db.QueryText(t, annotate, 7)
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); !slices.Equal(got, []string{annotation}) {
		t.Errorf("hook 1 got %v", got)
	}
	proctest.WaitFor(t, func() error {
		if log := p.err.String(); !strings.Contains(log, "line 1, column 15") || !strings.Contains(log, "is not a rate") {
			return fmt.Errorf("log:\n%s", log)
		}
		return nil
	})
	shown := must(t, proctest.RoleEnviron(db), "hooks", "show", "1")
	for _, want := range []string{"-TASK_CREATED", "annotation.id =", "filter: line 1, column 15", "rate: "} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, shown)
		}
	}
}

func TestHooksSet(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	environ := proctest.RoleEnviron(db)
	shown := must(t, environ, "hooks", "set", "3", "--events", "+TASK_COMPLETED,-TASK_CREATED", "--filter", "annotation.completed_by != 5", "--rate", "10/s", "--format", "cloudevents")
	for _, want := range []string{"+TASK_COMPLETED,-TASK_CREATED", "annotation.completed_by != 5", "10/s", "cloudevents"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, shown)
		}
	}
	var facts map[string]any
	if err := json.Unmarshal([]byte(must(t, environ, "hooks", "set", "3", "--format", "labelstudio", "--rate", "none", "--json")), &facts); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"hook": 3., "events_added": []any{"TASK_COMPLETED"}, "events_removed": []any{"TASK_CREATED"}, "filter": "annotation.completed_by != 5"}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("choice (-want +got):\n%s", diff)
	}
	clear(facts)
	if err := json.Unmarshal([]byte(must(t, environ, "hooks", "show", "3", "--json")), &facts); err != nil {
		t.Fatal(err)
	}
	if facts["filter"] != want["filter"] || !cmp.Equal(facts["events_added"], want["events_added"]) {
		t.Errorf("shown as %v", facts)
	}
	for _, tt := range []struct{ name, args, want string }{
		{"nothing", "3", "nothing to set"},
		{"faulty filter", "3 --filter annotation.id=5", "line 1, column 14: "},
		{"its place", "3 --filter annotation.id=5", "annotation.id=5\n             ^"},
		{"faulty rate", "3 --rate fast", "rate: "},
		{"faulty event", "3 --events TASK_CREATED", "needs a sign"},
		{"all faults", "3 --rate fast --format xml", "format: "},
	} {
		code, _, stderr := command(environ, append([]string{"hooks", "set"}, strings.Fields(tt.args)...)...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, without %q: %s", tt.name, code, tt.want, stderr)
		}
	}
	if code, _, stderr := command(environ, "hooks", "set", "99", "--rate", "1/s"); code != exitFailed || !strings.Contains(stderr, "there is no hook 99") {
		t.Errorf("unknown hook: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := command(environ, "hooks", "set", "3", "--events", "+TASK_COMPLETD,+MODEL_OUTDATED"); code != exitDone || !strings.Contains(stderr, "did you mean TASK_COMPLETED?") || strings.Contains(stderr, "MODEL_OUTDATED") {
		t.Errorf("misspelt: exit code %d: %s", code, stderr)
	}
	must(t, environ, "hooks", "set", "3", "--events", "none", "--filter", "none", "--rate", "none", "--format", "none")
	if got := db.QueryText(t, "SELECT num_nonnulls(events_added, events_removed, filter, rate, format)::text FROM hooktail.hook_setting WHERE hook_id = 3"); got != "0" {
		t.Errorf("%s values are left", got)
	}
}

// TestHooksTest counts what a filter would have sent, of rows, and changes nothing.
func TestHooksTest(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	environ := proctest.RoleEnviron(db)
	for _, task := range []int{6, 7, 7, 7, 7, 7} {
		db.QueryText(t, annotate, task)
	}
	try := func(args ...string) (p replay.Preview) {
		t.Helper()
		if err := json.Unmarshal([]byte(must(t, environ, append([]string{"hooks", "test", "1", "--since", "10m", "--json"}, args...)...)), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	of := func(p replay.Preview, action string) replay.Previewed {
		for _, n := range p.Actions {
			if string(n.Action) == action {
				return n
			}
		}
		return replay.Previewed{}
	}
	p := try("--filter", `annotation.task == 7`)
	if n := of(p, "ANNOTATION_CREATED"); n.Events != 6 || n.Sent != 5 || n.LeftOut != 1 || n.Failed != 0 || p.Cut {
		t.Errorf("of task 7: %+v", p)
	}
	if n := len(slices.DeleteFunc(p.Examples, func(e replay.Example) bool { return e.Action != "ANNOTATION_CREATED" || e.Task == 0 })); n != replay.PreviewExamples+1 {
		t.Errorf("%d examples", n)
	}
	p = try("--filter", "annotation.nothing == 7", "--limit", "2")
	if n := of(p, "ANNOTATION_CREATED"); n.Events > 2 || n.Failed != n.Events || !p.Cut {
		t.Errorf("failing: %+v", p)
	}
	if len(p.Examples) == 0 || !strings.Contains(p.Examples[0].Error, "no such key") {
		t.Errorf("without the reason: %+v", p.Examples)
	}
	if code, _, stderr := command(environ, "hooks", "test", "1"); code != exitUsage || !strings.Contains(stderr, "hook 1 has no filter") {
		t.Errorf("without a filter: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := command(environ, "hooks", "test", "1", "--filter", "1 +"); code != exitUsage || !strings.Contains(stderr, "column") {
		t.Errorf("faulty: exit code %d: %s", code, stderr)
	}
	must(t, environ, "hooks", "set", "1", "--filter", "annotation.task == 6")
	if shown := must(t, environ, "hooks", "test", "1", "--since", "10m"); !strings.Contains(shown, "ANNOTATION_CREATED") || !strings.Contains(shown, "filtered: ANNOTATION_CREATED of annotation") {
		t.Errorf("shown:\n%s", shown)
	}
	if got := db.QueryText(t, "SELECT count(*) FROM hooktail.parked"); got != "0" {
		t.Errorf("%s deliveries were stored", got)
	}
}
