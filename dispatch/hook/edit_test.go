package hook

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/state"
)

func TestEdit(t *testing.T) {
	before := state.Choice{Added: actions("MODEL_OUTDATED"), Removed: actions("TASKS_CREATED"), Filter: "true", Rate: "1/s", Format: "cloudevents"}
	for _, tt := range []struct {
		name, events, filter, rate, format string // "-": left as it is
		want                               state.Choice
	}{
		{"nothing", "-", "-", "-", "-", before},
		{"everything away", "none", "", "none", "", state.Choice{}},
		{"the format by its name", "-", "-", "-", "labelstudio", state.Choice{Added: before.Added, Removed: before.Removed, Filter: "true", Rate: "1/s"}},
		{"other ones", "-", " action == 'A' ", " 600/m ", "cloudevents-structured", state.Choice{Added: before.Added, Removed: before.Removed, Filter: "action == 'A'", Rate: "600/m", Format: "cloudevents-structured"}},
		{"an event more", "+TASK_COMPLETED", "", "", "", state.Choice{Added: actions("MODEL_OUTDATED", "TASK_COMPLETED"), Removed: before.Removed}},
		{"an event less", " -MODEL_OUTDATED , +A", "", "", "", state.Choice{Added: actions("A"), Removed: actions("MODEL_OUTDATED", "TASKS_CREATED")}},
		{"an event back in the other spelling", "+TASK_CREATED", "", "", "", state.Choice{Added: actions("MODEL_OUTDATED", "TASK_CREATED")}},
		{"twice", "+A,+A,-A", "", "", "", state.Choice{Added: actions("MODEL_OUTDATED"), Removed: actions("A", "TASKS_CREATED")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			edit := Edit{}
			for to, text := range map[**string]string{&edit.Events: tt.events, &edit.Filter: tt.filter, &edit.Rate: tt.rate, &edit.Format: tt.format} {
				if text != "-" {
					*to = new(text)
				}
			}
			got := before
			if err := edit.Apply(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && !got.Equal(tt.want) {
				t.Errorf("choice (-want +got):\n%s", diff)
			}
			if !before.Equal(state.Choice{Added: actions("MODEL_OUTDATED"), Removed: actions("TASKS_CREATED"), Filter: "true", Rate: "1/s", Format: "cloudevents"}) {
				t.Fatalf("what was before has changed: %+v", before)
			}
		})
	}
}

// TestEditRefuses all faults at once, and changes nothing.
func TestEditRefuses(t *testing.T) {
	for _, events := range []string{"A", "+", "-", "++A", "+a", "+1A", "+A-B", "+A,,+B", "+" + strings.Repeat("A", 65), "+Ä"} {
		c := state.Choice{Rate: "1/s"}
		edit := Edit{Events: &events, Rate: new("2/s")}
		if err := edit.Apply(&c); err == nil || !strings.HasPrefix(err.Error(), "events: ") || c.Rate != "1/s" {
			t.Errorf("%s: %v, %+v", events, err, c)
		}
	}
	edit := Edit{Events: new("A"), Filter: new("annotation.x ="), Rate: new("fast"), Format: new("xml")}
	var c state.Choice
	err := edit.Apply(&c)
	for _, of := range []string{"events: ", "filter: line 1, column 14", "rate: ", "format: "} {
		if !strings.Contains(errorText(err), of) {
			t.Errorf("no %q in:\n%v", of, err)
		}
	}
	if _, ok := errors.AsType[*filter.SyntaxError](err); !ok || !c.Equal(state.Choice{}) {
		t.Errorf("error %v, choice %+v", err, c)
	}
}
