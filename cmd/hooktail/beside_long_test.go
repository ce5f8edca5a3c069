//go:build long

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// everything is a hook of organization 1 that has everything turned on, beside one for the
// same events without any setting: at a receiver of their own, so that the other hooks'
// one has what it has without them.
type everything struct {
	db       *cdctest.Database
	receiver *dispatchtest.Server
	emitted  int
}

// The ids of the two are beyond those that the recorded sessions make.
const (
	withAll     = 900
	withNothing = 901
)

// turnEverythingOn makes the two, and all that hooktail can be set up for. The other hooks
// have their URLs already.
func turnEverythingOn(t *testing.T, log *proctest.Log, db *cdctest.Database) *everything {
	t.Helper()
	must(t, proctest.Environ(db, log.Variables()[0]...), "setup", "--custom-events", "--task-events")
	proctest.Grant(t, db)
	e := &everything{db: db, receiver: dispatchtest.Receiver(t)}
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT id, $1 || '/h/' || id, 1, true, true, '{}', true, now() - interval '1 day', now() FROM unnest(ARRAY[900, 901]) AS id`, e.receiver.URL)
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, events_added, events_removed, filter, rate, format)
		VALUES (900, '{MODEL_OUTDATED,TASK_COMPLETED,TASK_REOPENED}', '{TASK_CREATED}', 'project.id == 1', '500/s', 'cloudevents-structured')`)
	return e
}

// emit sends a custom event, if organization 1 still has its first project.
func (e *everything) emit(t *testing.T) {
	t.Helper()
	e.emitted++
	e.db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', id, jsonb_build_object('n', $1::int)) FROM project WHERE id = 1`, e.emitted)
}

// check compares what the one hook got with what the other did, and with the choice.
func (e *everything) check(t *testing.T) {
	t.Helper()
	want := map[string]string{} // body by id
	for _, r := range e.receiver.Requests(fmt.Sprintf("/h/%d", withNothing)) {
		var body struct {
			Action  string
			Project struct{ ID int64 }
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatal(err)
		}
		if body.Project.ID == 1 && singular(body.Action) != "TASK_CREATED" {
			want[r.Event] = compacted(r.Body)
		}
		if body.Action == "MODEL_OUTDATED" || strings.HasPrefix(body.Action, "TASK_COMPLETED") {
			t.Errorf("the hook for all actions got %s", body.Action)
		}
	}
	got, own := map[string]string{}, map[string]int{}
	latest := map[string]place{} // by subject
	for _, r := range e.receiver.Requests(fmt.Sprintf("/h/%d", withAll)) {
		event := dispatchtest.CloudEvent(t, r.Header, r.Body)
		var at place
		var timeline int
		if _, err := fmt.Sscanf(r.Event, "%d-%X-%d", &timeline, &at.commit, &at.ordinal); err != nil {
			t.Fatalf("parse the id %q: %v", r.Event, err)
		}
		if event.ID() != r.Event || event.Source() != "/projects/1" {
			t.Errorf("event %s is %s of %s", r.Event, event.ID(), event.Source())
		}
		if event.Subject() != "" {
			if before := latest[event.Subject()]; before.commit > at.commit {
				t.Errorf("%s: an event of %X came after one of %X", event.Subject(), at.commit, before.commit)
			}
			latest[event.Subject()] = at
		}
		switch event.Type() {
		case "io.labelstud.model.outdated", "io.labelstud.task.completed", "io.labelstud.task.reopened":
			own[event.Type()]++
		default:
			got[r.Event] = compacted(event.Data())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("events of the hook with everything (-want +got):\n%.3000s", diff)
	}
	if own["io.labelstud.model.outdated"] == 0 || own["io.labelstud.task.completed"] == 0 {
		t.Errorf("of its own events it got %v", own)
	}
	t.Logf("%d events as the hook without a setting, of its own %v", len(got), own)
}

// TestConformanceBesideEverything: beside a hook that has everything turned on, all others
// get in the recorded scenarios what they get without it.
func TestConformanceBesideEverything(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, profile conformance.Profile, play *player) {
		scenarios := loadScenarios(t)
		want := derive(t, scenarios, conformance.Derivation{Profile: profile})
		e := turnEverythingOn(t, play.log, play.db)
		play.after = func() { e.emit(t) }
		play.start(t, "HOOKTAIL_PROFILE="+string(profile))
		var results []conformance.Result
		for _, s := range scenarios {
			results = append(results, conformance.CompareDerived(s.Name, want[s.Name], play.scenario(t, s)))
		}
		reportResults(t, results)
		e.check(t)
	})
}
