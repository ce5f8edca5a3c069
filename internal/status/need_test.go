package status

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hooksOfAllKinds are in order of id, and none is like another.
func hooksOfAllKinds() []*Hook {
	return []*Hook{
		{ID: 1, Organization: 1, State: "inactive"},
		{ID: 2, Organization: 1, State: "live", URL: "https://hooks.example.com/***"},
		{ID: 3, Organization: 1, State: "live", AllActions: true},
		{ID: 4, Organization: 1, State: "live", AllActions: true, Parked: 5, Retrying: 1},
		{ID: 5, Organization: 2, State: "paused", AllActions: true, Parked: 7},
		{ID: 6, Organization: 2, State: "live", Actions: []string{"TASK_CREATED"}, Dead: 2},
		{ID: 7, Organization: 2, State: "failing", AllActions: true, Project: 30},
		{ID: 8, Organization: 2, State: "suspended", AllActions: true, Parked: 9, Dead: 1},
	}
}

// TestByNeed: the hooks that need a person come first, those that are off last.
func TestByNeed(t *testing.T) {
	t.Parallel()
	hooks := hooksOfAllKinds()
	slices.SortFunc(hooks, ByNeed)
	var ids []int64
	for _, h := range hooks {
		ids = append(ids, h.ID)
	}
	if diff := cmp.Diff([]int64{7, 8, 6, 5, 4, 3, 2, 1}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]int64{
		"30": {7}, "7": {7}, "EXAMPLE.com": {2}, "task_": {6}, "fail": {7}, "live": {2, 3, 4, 6}, "nowhere": nil,
	} {
		var found []int64
		for _, h := range hooksOfAllKinds() {
			if h.Found(text) {
				found = append(found, h.ID)
			}
		}
		if !slices.Equal(found, want) {
			t.Errorf("%q finds %v, want %v", text, found, want)
		}
	}
}

// TestListedActions: a hook is found, and is idle or not, by what it gets: with what people
// added to its row and without what they removed.
func TestListedActions(t *testing.T) {
	t.Parallel()
	h := &Hook{ID: 1, State: "live", Actions: []string{"TASK_CREATED"}, Added: []string{"MODEL_OUTDATED"}, Removed: []string{"TASK_CREATED"}}
	if !h.Found("outdated") || h.Found("task_") || h.Need() != NeedNothing {
		t.Errorf("it gets %v and needs %v", h.listed(), h.Need())
	}
	if h.Removed = append(h.Removed, "MODEL_OUTDATED"); h.Found("outdated") || h.Need() != NeedAction {
		t.Errorf("it gets %v and needs %v", h.listed(), h.Need())
	}
	if len(h.Actions) != 1 || len(h.Added) != 1 {
		t.Errorf("asking has changed it: %+v", h)
	}
}

// TestTally: of many hooks in a state the first are named, and all are counted.
func TestTally(t *testing.T) {
	t.Parallel()
	hooks := hooksOfAllKinds()
	for id := int64(10); id < 20; id++ {
		hooks = append(hooks, &Hook{ID: id, Organization: 2, State: "failing"})
	}
	want := &Tally{
		Hooks: 18, Served: 17, Behind: 2, Organizations: 2, Parked: 21, Dead: 3,
		Broken: []Ailment{{State: "failing", Hooks: 11, First: []int64{7, 10, 11, 12, 13, 14}}, {State: "suspended", Hooks: 1, First: []int64{8}}},
	}
	if diff := cmp.Diff(want, TallyOf(hooks)); diff != "" {
		t.Error(diff)
	}
}
