package relay

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/status"
)

// TestChoose: a page gets the hooks that need a person and the first of the others, the
// one that it is about, and those that are searched for; without a limit it is all.
func TestChoose(t *testing.T) {
	t.Parallel()
	var all []dispatch.Overview
	for id := int64(1); id <= 1000; id++ {
		u, err := hook.ParseURL(fmt.Sprintf("http://receiver-%d.example/secret", id))
		if err != nil {
			t.Fatal(err)
		}
		o := dispatch.Overview{Hook: &hook.Hook{ID: id, URL: u, AllActions: true, Active: true}, State: dispatch.StateLive}
		if id%400 == 0 {
			o.State = dispatch.StateFailing
		}
		all = append(all, o)
	}
	for _, c := range []struct {
		name  string
		q     status.Query
		want  []int64
		found int
	}{
		{"limit", status.Query{Hooks: 4}, []int64{400, 800, 1, 2}, 1000},
		{"and the hook of the page", status.Query{Hooks: 2, Hook: 999}, []int64{400, 800, 999}, 1000},
		{"which may be gone", status.Query{Hooks: 2, Hook: 1001}, []int64{400, 800}, 1000},
		{"or among them", status.Query{Hooks: 2, Hook: 800}, []int64{400, 800}, 1000},
		{"search", status.Query{Hooks: 3, Find: "receiver-77"}, []int64{77, 770, 771}, 11},
		{"a path is a secret", status.Query{Hooks: 3, Find: "secret"}, nil, 0},
		{"but for the token", status.Query{Hooks: 1, Find: "secret", Payloads: true}, []int64{400}, 1000},
	} {
		chosen, tally := choose(all, c.q)
		var ids []int64
		for _, o := range chosen {
			ids = append(ids, o.Hook.ID)
		}
		if !slices.Equal(ids, c.want) || tally.Found != c.found || tally.Hooks != 1000 {
			t.Errorf("%s: hooks %v, tally %+v; want %v and %d found", c.name, ids, tally, c.want, c.found)
		}
	}
	if chosen, _ := choose(all, status.Query{}); len(chosen) != 1000 || chosen[0].Hook.ID != 1 {
		t.Errorf("without a limit %d hooks, the first is %d", len(chosen), chosen[0].Hook.ID)
	}
}
