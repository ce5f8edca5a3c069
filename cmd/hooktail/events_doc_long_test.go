//go:build long

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// TestEventsDocument: the payloads in docs/events.md are those that the program
// sends when the recorded calls are played to it.
func TestEventsDocument(t *testing.T) {
	t.Parallel()
	const everything = 6 // the hook of the organization, for all actions, with payload
	examples := []struct {
		action   string
		scenario int
		title    string
	}{
		{"PROJECT_CREATED", 1, "a project was made in the application"},
		{"PROJECT_UPDATED", 2, "its title was changed"},
		{"TASK_CREATED", 7, "one task was posted"},
		{"ANNOTATION_CREATED", 18, "it was annotated"},
		{"ANNOTATION_UPDATED", 20, "the annotation was changed"},
		{"ANNOTATIONS_DELETED", 32, "an annotation was deleted"},
		{"PROJECT_DELETED", 62, "a project was deleted"},
	}
	db := cdctest.Postgres(t).LabelStudio(t)
	play := newPlayer(t, db)
	start(t, play.through, "HOOKTAIL_SETTLE=0") // the player sees to it that calls have ended
	sent := map[int][]conformance.Request{}
	for _, s := range loadScenarios(t) {
		sent[s.Number()] = play.scenario(t, s)
	}
	var b strings.Builder
	for _, e := range examples {
		i := slices.IndexFunc(sent[e.scenario], func(r conformance.Request) bool { return r.Hook == everything && r.Action == e.action })
		if i < 0 {
			t.Fatalf("scenario %d sends no %s", e.scenario, e.action)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, sent[e.scenario][i].Body, "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n### %s\n\n<details>\n<summary>%s</summary>\n\n```json\n%s\n```\n\n</details>\n", e.action, e.title, &pretty)
	}
	compareGeneratedIn(t, eventsDoc, "events", b.String()+"\n")
}
