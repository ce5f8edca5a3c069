//go:build long

package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTopicOverKills: a program that is killed publishes all events; subscribers that
// leave out the ids that they know get each of them once.
func TestTopicOverKills(t *testing.T) {
	t.Parallel()
	db, _, server, variables := publishing(t)
	setUpOnce(t, db, variables...)
	want := map[string]bool{}
	for range 3 {
		p := proctest.Start(t, proctest.RoleEnviron(db, variables...), "run")
		p.Ready(t)
		for range 40 {
			want[db.QueryText(t, annotate, 7)] = true
		}
		p.Kill()
	}
	startAs(t, db, []string{"run"}, variables...)
	delivered(t, db)
	got, ids := map[string]bool{}, map[string]string{}
	for _, m := range published(t, server, "HOOKTAIL_"+db.Name+"_TOPIC", uint64(len(want))) {
		var body struct{ Annotation struct{ ID json.Number } }
		unmarshalJSON(t, m.Data, &body)
		if id := m.Header.Get("webhook-id"); ids[id] != "" {
			t.Errorf("event %s is there twice", id)
		} else {
			ids[id] = body.Annotation.ID.String()
		}
		got[body.Annotation.ID.String()] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}
