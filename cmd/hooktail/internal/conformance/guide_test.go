package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGuideRules spells out what the rules of the guide give, in the scenarios
// that tell them apart. Each line: the hook, the action in its spelling, and
// the tasks that it is about.
func TestGuideRules(t *testing.T) {
	derived := derive(t, Guide)
	for _, tt := range []struct {
		scenario string
		why      string
		hooks    []int64
		want     []string
	}{
		{"01-project-create", "organization hooks only", []int64{1, 6, 7, 10}, []string{"6 PROJECT_CREATED []", "7 PROJECT_CREATED []"}},
		{"09-import-3", "one request per task, in the hook's spelling", []int64{3, 6}, []string{
			"3 TASKS_CREATED [27]", "6 TASK_CREATED [27]", "3 TASKS_CREATED [28]", "6 TASK_CREATED [28]", "3 TASKS_CREATED [29]", "6 TASK_CREATED [29]",
		}},
		{"16-task-update-data", "task updates are none of the seven", nil, nil},
		{"19-annotation-create-skip", "a skip is an update", []int64{1, 2, 3, 5, 6}, []string{
			"1 ANNOTATION_UPDATED [8]", "2 ANNOTATION_UPDATED [8]", "5 ANNOTATION_UPDATED [8]", "6 ANNOTATION_UPDATED [8]",
		}},
		{"20-annotation-update-patch", "updated_by alone is no update: one event", []int64{6}, []string{"6 ANNOTATION_UPDATED [7]"}},
		{"25-annotation-unskip-convert-to-draft", "whatever deleted it", []int64{3, 6}, []string{"3 ANNOTATIONS_DELETED [8]", "6 ANNOTATIONS_DELETED [8]"}},
		{"29-draft-create", "drafts are none of the seven", nil, nil},
		{"35-import-with-predictions", "no project update with task inserts", []int64{6}, []string{"6 TASK_CREATED [138]", "6 TASK_CREATED [139]", "6 TASK_CREATED [140]"}},
		{"36-dm-predictions-to-annotations", "one request per annotation", []int64{3, 6}, []string{
			"3 ANNOTATION_CREATED [138]", "6 ANNOTATION_CREATED [138]", "3 ANNOTATION_CREATED [139]",
			"6 ANNOTATION_CREATED [139]", "3 ANNOTATION_CREATED [140]", "6 ANNOTATION_CREATED [140]",
		}},
		{"38-dm-delete-predictions", "parent_prediction alone is no update", nil, nil},
		{"39-task-delete", "a task without annotations is deleted silently", nil, nil},
		{"40-task-delete-annotated", "its annotations are not", []int64{6, 7}, []string{"6 ANNOTATIONS_DELETED [5]"}},
		{"41-dm-delete-tasks", "project_id was cleared before", []int64{6}, []string{"6 ANNOTATIONS_DELETED [6 138 139 140]"}},
		{"44-hook-added-changed-deleted", "hooks as of the commit", []int64{6, 11}, []string{
			"6 ANNOTATION_CREATED [14]", "11 ANNOTATION_CREATED [14]", "6 ANNOTATION_UPDATED [14]", "11 ANNOTATION_UPDATED [14]", "6 ANNOTATIONS_DELETED [14]",
		}},
		{"53-overlap-change", "the tasks are updated too", []int64{6}, []string{"6 PROJECT_UPDATED []"}},
		{"57-import-preannotated", "imported annotations too", []int64{6}, []string{"6 TASK_CREATED [145]", "6 ANNOTATION_CREATED [145]"}},
		{"59-local-storage-sync", "three transactions", []int64{6}, []string{"6 TASK_CREATED [146]", "6 TASK_CREATED [147]", "6 TASK_CREATED [148]"}},
		{"60-dm-experimental-actions", "propagated: created; labels renamed: updated", []int64{6}, []string{
			"6 ANNOTATION_CREATED [15]", "6 ANNOTATION_UPDATED [13]", "6 ANNOTATION_UPDATED [15]",
		}},
		{"62-project-delete", "nothing for what goes with it", []int64{6, 7, 8}, []string{"6 PROJECT_DELETED []", "7 PROJECT_DELETED []"}},
	} {
		t.Run(tt.scenario, func(t *testing.T) {
			var got []string
			for _, d := range derived[tt.scenario] {
				if tt.hooks == nil || slices.Contains(tt.hooks, d.Hook) {
					got = append(got, fmt.Sprint(d.Hook, " ", d.Action, " ", append([]int64{}, d.tasks...)))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.why, diff)
			}
		})
	}
}

func TestGuideHasSevenActions(t *testing.T) {
	seven := []string{
		"PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED", "TASK_CREATED",
		"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
	}
	seen := map[string]bool{}
	for name, derived := range derive(t, Guide) {
		for _, d := range derived {
			if d.Action == "TASKS_CREATED" && d.Hook == 3 {
				continue // the spelling that this hook lists
			}
			seen[d.Action] = true
			if !slices.Contains(seven, d.Action) {
				t.Errorf("%s: %s", name, d.Action)
			}
		}
	}
	if len(seen) != len(seven) {
		t.Errorf("%v, want all seven", seen)
	}
}

// TestGuideBodiesAreTheRecordedOnes: where the rules agree with what the
// application sent, so do the bodies.
func TestGuideBodiesAreTheRecordedOnes(t *testing.T) {
	derived := derive(t, Guide)
	equal := 0
	for _, s := range load(t) {
		if len(exceptionsOf(s.Name)) > 0 {
			continue
		}
		recorded := map[string]Request{}
		for _, r := range s.Expected {
			recorded[fmt.Sprint(r.Hook, subject(r))] = r
		}
		for _, d := range derived[s.Name] {
			want, there := recorded[fmt.Sprint(d.Hook, subject(d.Request))]
			if !there {
				continue
			}
			if differences := compareRequests(want, d.Request); len(differences) > 0 {
				t.Errorf("%s: hook %d: %s:%s", s.Name, d.Hook, d.Action, lines(differences))
			}
			equal++
		}
	}
	if equal < 100 {
		t.Errorf("only %d requests are the same in both, want at least 100", equal)
	}
	t.Logf("%d requests are the same in both", equal)
}

func TestCompareDerived(t *testing.T) {
	derived := derive(t, Guide)
	for name, want := range derived {
		if r := CompareDerived(name, want, requests(want)); r.Equal != len(want) || r.Different > 0 {
			t.Errorf("%s with itself: %v", name, r.Problems)
		}
	}

	hook6 := func(scenario string) []Derived {
		return slices.DeleteFunc(slices.Clone(derived[scenario]), func(d Derived) bool { return d.Hook != 6 })
	}
	for _, tt := range []struct {
		name     string
		scenario string
		order    []int // of the requests of hook 6
		problem  string
	}{
		{"tasks may overtake each other", "59-local-storage-sync", []int{2, 0, 1}, ""},
		{"one is missing", "59-local-storage-sync", []int{2, 0}, "TASK_CREATED of tasks [147] is missing"},
		{"one came twice", "59-local-storage-sync", []int{0, 1, 2, 2}, "TASK_CREATED is unexpected"},
		{"events of one task may not", "57-import-preannotated", []int{1, 0}, "ANNOTATION_CREATED of tasks [145] came before TASK_CREATED of tasks [145]"},
		{"nor those of their project", "61-undefined-stored-then-config", []int{1, 0, 2, 3, 4}, "TASK_CREATED of tasks [149] came before PROJECT_CREATED"},
		{"tasks between project events may", "61-undefined-stored-then-config", []int{0, 2, 1, 3, 4}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := hook6(tt.scenario)
			var got []Request
			for _, i := range tt.order {
				got = append(got, want[i].Request)
			}
			r := CompareDerived(tt.scenario, want, got)
			problems := strings.Join(r.Problems, "\n")
			if !strings.Contains(problems, tt.problem) || (r.Different > 0) != (tt.problem != "") {
				t.Errorf("%d different, %q, want %q", r.Different, problems, tt.problem)
			}
		})
	}
}

func TestDerivedSecretsAreHeldBack(t *testing.T) {
	d := Derivation{Profile: Native, Schema: read(t, "schema.sql"), Base: read(t, "base.sql")}
	all, err := d.Derive(load(t))
	if err != nil {
		t.Fatal(err)
	}
	s := numbered(t, 18)
	if r := CompareNative(s, requests(all[s.Name]), false); r.Equal != len(s.Expected) {
		t.Error(r.Problems)
	}
	if r := CompareNative(s, requests(all[s.Name]), true); r.Different == 0 {
		t.Error("without secrets all is equal to the bodies with secrets")
	}
}
