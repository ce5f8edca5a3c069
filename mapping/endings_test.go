package mapping

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// stamped are small tables whose tasks have what the end of an action is seen by.
func stamped() schema {
	s := newSchema(fullKey)
	tasks := *s["task"]
	tasks.Columns = append(slices.Clone(tasks.Columns), cdc.Column{Name: "updated_at"}, cdc.Column{Name: "updated_by_id"})
	tasks.Identity = idKey
	s["task"] = &tasks
	annotations := *s["task_completion"]
	annotations.Columns = append(slices.Clone(annotations.Columns), cdc.Column{Name: "ground_truth"})
	s["task_completion"] = &annotations
	projects := *s["project"]
	projects.Columns = append(slices.Clone(projects.Columns), cdc.Column{Name: "overlap_cohort_percentage"})
	s["project"] = &projects
	return s
}

// TestEndings: which transactions after an event show the end of its action. A letter is a
// transaction: of task 5 C counters, S and O a stamp by user 1 and by another, X its
// deletion; c and s the same of task 6; e the event; i, u a creation and a change on task 5
// by user 1, j, v by user 2; B, b an update of annotation 7 or 8 that is no event. The event leaves after the transaction that is marked by |, or
// by the bound.
func TestEndings(t *testing.T) {
	s := stamped()
	a := annotationRow(7, 5, 1, t1, false)
	b := annotationRow(8, 5, 1, t1, false).with(5, 2)
	truth := append(slices.Clone(a), "t")
	whole := append(projectRow(1, t1, nil), 100)
	inserted := func(v values) []cdc.Change { return []cdc.Change{s.insert("task_completion", v...)} }
	updated := func(v values) []cdc.Change {
		return []cdc.Change{s.update("task_completion", v.with(3, "2026-11-23 11:17:00+00"), v)}
	}
	removed := []cdc.Change{s.remove("task_completion", a...)}
	several := []cdc.Change{s.remove("task_completion", a...), s.remove("task_completion", annotationRow(9, 6, 1, t1, false)...)}
	predicted := a.with(5, nil).with(6, 3)
	tests := []struct {
		name    string
		event   []cdc.Change
		profile Profile
		stream  string
	}{
		{"made", inserted(a), Guide, "eCS|"},
		{"made, the stamp first", inserted(a), Guide, "eSC|"},
		{"made, with a stamp of another user between", inserted(a), Guide, "eCOS|"},
		{"made, the counters never come", inserted(a), Guide, "eSSSO"},
		{"made, the stamp never comes", inserted(a), Guide, "eCCCO"},
		{"made, what came before does not count", inserted(a), Guide, "CSeC"},
		{"made by nobody", inserted(a.with(5, nil)), Guide, "eCS"},
		{"made, the task is deleted", inserted(a), Guide, "eX|"},
		{"made as ground truth", inserted(truth), Guide, "eCS"},
		{"skipped", inserted(a.with(4, "t")), Guide, "eCS|"},
		{"made, native", inserted(a), Native, "eCS|"},
		{"made of a prediction", inserted(predicted), Guide, "eSS|"},
		{"made of a prediction, native", inserted(predicted), Native, "eSS|"},
		{"made with its task", []cdc.Change{s.insert("task", 5, 1, "{}"), s.insert("task_completion", a.with(5, nil)...)}, Guide, "e|"},
		{"changed", updated(a), Guide, "eCSS|"},
		{"changed, the counters last", updated(a), Guide, "eSSC|"},
		{"changed, one stamp is another user's", updated(a), Guide, "eCSOS|"},
		{"changed, one stamp", updated(a), Guide, "eCS"},
		{"changed, ground truth", updated(truth), Guide, "eCSS|"},
		{"deleted", removed, Guide, "eCSC|"},
		{"deleted, two updates", removed, Guide, "eCS"},
		{"deleted, the task is deleted, too", removed, Guide, "eX"},
		{"deleted, the task is deleted, too, and others do not follow", append([]cdc.Change{s.update("project", whole, whole)}, removed...), Guide, "eX|"},
		{"several deleted", several, Guide, "eCCCccc|"},
		{"several deleted, one without an end", several, Guide, "eCCCcc"},
		{"two users make one each", inserted(a), Guide, "ejCOCS|"},
		{"one user makes two", inserted(a), Guide, "eiCSCS"},
		{"a creation and a change by another", inserted(a), Guide, "evCOOCS"},
		{"a change and a creation by another", updated(a), Guide, "ejCSS"},
		{"an earlier action has not ended", inserted(a), Guide, "ieCSCS"},
		{"a change by another has begun", inserted(a), Guide, "beCSCS"},
		{"a change by another begins", inserted(a), Guide, "eCbS"},
		{"the change itself has begun", updated(a), Guide, "BSeCSS|"},
		{"an earlier action has ended", inserted(a), Guide, "iCSeCS|"},
		{"project updated", []cdc.Change{s.update("project", whole, whole.with(2, t2))}, Guide, "e|"},
		{"project updated, the overlap", []cdc.Change{s.update("project", whole, whole.with(2, t2).with(6, 50))}, Guide, "e"},
		{"project created", []cdc.Change{s.insert("project", whole...)}, Guide, "e|"},
		{"task created", []cdc.Change{s.insert("task", 5, 1, "{}")}, Guide, "e|"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const pause = 10 * time.Millisecond
				o := Options{Profile: test.profile, Settle: time.Second}
				m, settler, began := NewMapper(o), NewSettler[rune](o), time.Now()
				type leave struct {
					rune
					at time.Duration
				}
				left := make(chan leave, 100)
				go func() {
					for {
						items, err := settler.Next(t.Context(), 10)
						if err != nil {
							close(left)
							return
						}
						for _, item := range items {
							left <- leave{item, time.Since(began)}
						}
					}
				}()
				task := func(id int, updated string, by int) []cdc.Change {
					return []cdc.Change{s.update("task", values{id}, values{id, 1, "{}", updated, by})}
				}
				want, at := time.Duration(-1), time.Duration(0)
				for n, step := range test.stream {
					var changes []cdc.Change
					switch step {
					case '|':
						want = at
						continue
					case 'e':
						changes = test.event
						want = time.Since(began) + time.Second
					case 'i':
						changes = inserted(a.with(0, 10))
					case 'j':
						changes = inserted(b)
					case 'v':
						changes = updated(b)
					case 'C':
						changes = task(5, "2026-11-23 11:00:00+00", 1)
					case 'S':
						changes = task(5, t2, 1)
					case 'O':
						changes = task(5, t2, 2)
					case 'B': // an update of the annotation that is no event
						changes = []cdc.Change{s.update("task_completion", a, a.with(5, 1))}
					case 'b':
						changes = []cdc.Change{s.update("task_completion", b, b.with(5, 2))}
					case 'c':
						changes = task(6, "2026-11-23 11:00:00+00", 1)
					case 'X':
						changes = []cdc.Change{s.remove("task", 5)}
					}
					part := parts(cdc.LSN(n+1), slices.Clone(changes))[0]
					part.XID = uint32(n + 1)
					events, err := m.Events(part, nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range events {
						if step == 'e' && e.Action == ProjectUpdated && len(test.event) == 2 {
							continue
						}
						settler.Add(e, step)
					}
					settler.See(part.XID, m.Signs())
					synctest.Wait()
					at = time.Since(began)
					<-time.After(pause)
				}
				settler.Close()
				for l := range left {
					if l.rune == 'e' && l.at != want {
						t.Errorf("%s: left after %v, want %v", test.stream, l.at, want)
					}
				}
				if !strings.Contains(test.stream, "e") {
					t.Fatal("no event")
				}
			})
		})
	}
}

// TestEndingsOfWhatNobodyWants: the signs of an action whose event no hook wants are not
// taken for those of another.
func TestEndingsOfWhatNobodyWants(t *testing.T) {
	s := stamped()
	o := Options{Settle: time.Second}
	m, settler := NewMapper(o), NewSettler[int](o)
	made := func(commit cdc.LSN, id int) *Event {
		part := parts(commit, []cdc.Change{s.insert("task_completion", annotationRow(id, 5, 1, t1, false)...)})[0]
		events, err := m.Events(part, nil)
		if err != nil {
			t.Fatal(err)
		}
		return events[0]
	}
	settler.Pass(made(1, 7))
	wanted := made(2, 8)
	settler.Add(wanted, 8)
	settler.See(3, []Sign{{task: 5, updatedAt: []byte(t1), updatedBy: 1}, {task: 5, updatedAt: []byte(t2), updatedBy: 1}})
	if wanted.EndedBy != 0 {
		t.Error("the event was ended by the signs of another")
	}
	settler.See(4, []Sign{{task: 5, gone: true}})
}

// TestWatchesAreForgotten: what shows no end is not kept, and the watches of one task are
// bounded.
func TestWatchesAreForgotten(t *testing.T) {
	w := newWatches[int]()
	now := time.Now()
	for i := range 1000 {
		now = now.Add(time.Millisecond)
		w.add(&watch[int]{action: action{user: 1, made: true, tasks: []int64{5, int64(i + 10)}}, how: saved, until: now.Add(100 * time.Millisecond)}, now)
		if len(w.tasks[5]) > crowd || len(w.queue) > 102 || len(w.tasks) > 103 {
			t.Fatalf("%d watches of one task, %d in all of %d tasks", len(w.tasks[5]), len(w.queue), len(w.tasks))
		}
	}
	w.expire(now.Add(time.Second))
	if len(w.tasks) != 0 || len(w.queue) != 0 {
		t.Errorf("%d tasks and %d watches are kept", len(w.tasks), len(w.queue))
	}
}
