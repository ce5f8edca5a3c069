package mapping

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// world is what is in the three tables. Its methods change them and return what the
// stream has of it.
type world struct {
	t      *rapid.T
	s      schema
	tables map[string]map[int]values
	clock  int  // what updated_at was last set to
	final  bool // no project comes back in a later transaction
	steady bool // rows keep their projects and ids are not used again, truncates do not occur
	used   map[string]int
}

// Columns of the small tables.
const (
	ofTitle, ofProjectUpdated, ofDeleted, ofCount = 1, 2, 4, 5
	ofProject                                     = 1 // of a task
	ofTask, ofTasksProject, ofUpdated, ofSkipped  = 1, 2, 3, 4
	ofUser, ofResult                              = 5, 7
)

func newWorld(t *rapid.T, identity byte) *world {
	w := &world{t: t, s: newSchema(identity), tables: map[string]map[int]values{}, used: map[string]int{}, steady: identity != fullKey}
	for _, name := range []string{"project", "task", "task_completion"} {
		w.tables[name] = map[int]values{}
	}
	return w
}

func (w *world) clone() map[string]map[int]values {
	all := map[string]map[int]values{}
	for name, rows := range w.tables {
		all[name] = maps.Clone(rows)
	}
	return all
}

func (w *world) one(name string) (int, values, bool) {
	ids := slices.Sorted(maps.Keys(w.tables[name]))
	if len(ids) == 0 {
		return 0, nil, false
	}
	id := rapid.SampledFrom(ids).Draw(w.t, name)
	return id, w.tables[name][id], true
}

func (w *world) time() string {
	w.clock++
	return fmt.Sprintf("2026-11-23 11:17:08.%06d+00", w.clock)
}

// free is an id that no row of the table has.
func (w *world) free(name string, first int) int {
	if w.steady || w.final && name == "project" {
		w.used[name]++
		return first + w.used[name]
	}
	for id := first + rapid.IntRange(0, 3).Draw(w.t, "id"); ; id++ {
		if w.tables[name][id] == nil {
			return id
		}
	}
}

func (w *world) insert(name string, v values) cdc.Change {
	w.tables[name][v[0].(int)] = v
	return w.s.insert(name, v...)
}

func (w *world) remove(name string, id int) cdc.Change {
	v := w.tables[name][id]
	delete(w.tables[name], id)
	return w.s.remove(name, v...)
}

func (w *world) update(name string, v values) cdc.Change {
	id := v[0].(int)
	old := w.tables[name][id]
	w.tables[name][id] = v
	sent := v
	if last := len(v) - 1; w.s[name].Identity == fullKey && v[last] == old[last] && rapid.Bool().Draw(w.t, "toasted") {
		sent = v.with(last, unchanged{})
	}
	return w.s.update(name, old, sent)
}

// step is what one statement does, with its cascades, whose order is any.
func (w *world) step() []cdc.Change {
	what := rapid.SampledFrom([]string{
		"insert project", "update project", "delete project", "mark project", "restore project",
		"insert task", "insert task", "update task", "move task", "delete task", "restore task",
		"insert annotation", "insert annotation", "insert annotation", "update annotation", "update annotation", "move annotation",
		"delete annotation", "delete annotation", "restore annotation", "renumber", "truncate", "other",
	}).Draw(w.t, "what")
	var all []cdc.Change
	switch what {
	case "insert project":
		all = append(all, w.insert("project", projectRow(w.free("project", 1), w.time(), nil)))
	case "update project":
		if _, v, ok := w.one("project"); ok {
			v = rapid.SampledFrom([]values{v, v.with(ofTitle, w.time()), v.with(ofProjectUpdated, w.time()), v.with(ofCount, w.clock)}).Draw(w.t, "new")
			all = append(all, w.update("project", v))
		}
	case "mark project":
		if _, v, ok := w.one("project"); ok {
			mark := any(nil)
			if v[ofDeleted] == nil || w.final {
				mark = w.time()
			}
			all = append(all, w.update("project", v.with(ofDeleted, mark).with(ofProjectUpdated, w.time())))
		}
	case "delete project":
		if id, _, ok := w.one("project"); ok {
			all = w.removeProject(id)
		}
	case "restore project":
		if id, v, ok := w.one("project"); ok && !w.steady && (!w.final || v[ofDeleted] == nil) {
			before := w.clone()
			all = append(w.removeProject(id), w.insert("project", v.with(ofProjectUpdated, w.time())))
			for _, name := range []string{"task", "task_completion"} {
				for _, id := range slices.Sorted(maps.Keys(before[name])) {
					if w.tables[name][id] == nil && (name == "task" || w.tables["task"][before[name][id][ofTask].(int)] != nil) && rapid.Bool().Draw(w.t, "restored") {
						all = append(all, w.insert(name, before[name][id]))
					}
				}
			}
		}
	case "insert task":
		if id, _, ok := w.one("project"); ok {
			all = append(all, w.insert("task", values{w.free("task", 20), id, "{}"}))
		}
	case "update task":
		if _, v, ok := w.one("task"); ok {
			all = append(all, w.update("task", v.with(2, w.time())))
		}
	case "move task":
		task, v, ok := w.one("task")
		if to, _, there := w.one("project"); ok && there && !w.steady {
			all = append(all, w.update("task", v.with(ofProject, to)))
			for _, id := range slices.Sorted(maps.Keys(w.tables["task_completion"])) {
				if a := w.tables["task_completion"][id]; a[ofTask] == task {
					all = append(all, w.update("task_completion", a.with(ofTasksProject, to)))
				}
			}
		}
	case "delete task":
		if id, _, ok := w.one("task"); ok {
			all = w.removeTask(id)
		}
	case "restore task":
		if id, v, ok := w.one("task"); ok && !w.steady {
			before := w.clone()["task_completion"]
			all = append(w.removeTask(id), w.insert("task", v))
			for _, id := range slices.Sorted(maps.Keys(before)) {
				if w.tables["task_completion"][id] == nil && rapid.Bool().Draw(w.t, "restored") {
					all = append(all, w.insert("task_completion", before[id]))
				}
			}
		}
	case "insert annotation":
		if id, v, ok := w.one("task"); ok {
			skipped := rapid.IntRange(0, 3).Draw(w.t, "skipped") == 0
			a := annotationRow(w.free("task_completion", 50), id, v[ofProject].(int), w.time(), skipped)
			if rapid.IntRange(0, 2).Draw(w.t, "predicted") == 0 {
				a = a.with(ofUser, nil).with(6, 3)
			}
			all = append(all, w.insert("task_completion", a))
		}
	case "update annotation":
		if _, v, ok := w.one("task_completion"); ok {
			skip := "t"
			if v[ofSkipped] == "t" {
				skip = "f"
			}
			v = rapid.SampledFrom([]values{
				v, v.with(ofResult, w.time()), v.with(ofUpdated, w.time()), v.with(ofUser, nil), v.with(ofSkipped, skip).with(ofUpdated, w.time()),
			}).Draw(w.t, "new")
			all = append(all, w.update("task_completion", v))
		}
	case "move annotation":
		_, a, ok := w.one("task_completion")
		if task, v, there := w.one("task"); ok && there && !w.steady {
			all = append(all, w.update("task_completion", a.with(ofTask, task).with(ofTasksProject, v[ofProject])))
		}
	case "delete annotation":
		if id, _, ok := w.one("task_completion"); ok {
			all = append(all, w.remove("task_completion", id))
		}
	case "restore annotation":
		if id, v, ok := w.one("task_completion"); ok && !w.steady {
			all = append(all, w.remove("task_completion", id), w.insert("task_completion", v))
		}
	case "renumber":
		if id, v, ok := w.one("task_completion"); ok && !w.steady {
			to := v.with(0, w.free("task_completion", 50))
			delete(w.tables["task_completion"], id)
			w.tables["task_completion"][to[0].(int)] = to
			all = append(all, w.s.update("task_completion", v, to.with(ofResult, unchanged{})))
		}
	case "truncate":
		// A table is truncated with those that refer to it.
		if !w.steady && rapid.IntRange(0, 4).Draw(w.t, "truncate") == 0 {
			names := []string{"project", "task", "task_completion"}
			for _, name := range names[rapid.IntRange(0, 2).Draw(w.t, "from"):] {
				w.tables[name] = map[int]values{}
				all = append(all, cdc.Change{Op: cdc.Truncate, Relation: w.s[name]})
			}
		}
	default:
		all = append(all, w.s.insert("webhook", 1))
	}
	return all
}

func (w *world) removeTask(id int) []cdc.Change {
	var annotations []cdc.Change
	for _, a := range slices.Sorted(maps.Keys(w.tables["task_completion"])) {
		if w.tables["task_completion"][a][ofTask] == id {
			annotations = append(annotations, w.remove("task_completion", a))
		}
	}
	return w.shuffled(append(annotations, w.remove("task", id)))
}

func (w *world) removeProject(id int) []cdc.Change {
	var all []cdc.Change
	for _, task := range slices.Sorted(maps.Keys(w.tables["task"])) {
		if w.tables["task"][task][ofProject] == id {
			all = append(all, w.removeTask(task)...)
		}
	}
	return w.shuffled(append(all, w.remove("project", id)))
}

// shuffled is the changes of different rows in another order.
func (w *world) shuffled(changes []cdc.Change) []cdc.Change {
	if len(changes) < 2 {
		return changes
	}
	return rapid.Permutation(changes).Draw(w.t, "order")
}

// transaction is a few steps, which change something.
func (w *world) transaction() []cdc.Change {
	var all []cdc.Change
	for range rapid.IntRange(1, 6).Draw(w.t, "steps") {
		all = append(all, w.step()...)
	}
	if len(all) == 0 {
		all = append(all, w.s.insert("webhook", 1))
	}
	return all
}

// life is what events say of a row.
type life struct {
	actions  []Action
	projects []int64
	image    // in the last event
}

func livesOf(events []*Event) map[rowOf]*life {
	lives := map[rowOf]*life{}
	of := func(e *Event, id int64, i image) {
		key := rowOf{e.Action.table(), id}
		if lives[key] == nil {
			lives[key] = &life{}
		}
		lives[key].actions = append(lives[key].actions, e.Action)
		lives[key].projects = append(lives[key].projects, e.Project)
		lives[key].image = i
	}
	for _, e := range events {
		if g := e.subject.group; g != nil {
			for i, m := range g.members {
				of(e, m.id, g.image(i))
			}
			continue
		}
		of(e, e.subject.id, e.subject.image)
	}
	return lives
}

func mapParts(t *rapid.T, m *Mapper, all []*cdc.Part) (events []*Event) {
	for _, part := range all {
		var err error
		if events, err = m.Events(part, events); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[ID]bool{}
	for i, e := range events {
		if seen[e.ID] {
			t.Fatalf("two events have the id %s: %q", e.ID, tellAll(events))
		}
		seen[e.ID] = true
		if i > 0 && events[i-1].compare(e) > 0 {
			t.Fatalf("the ids of %q are not in the order of the events", tellAll(events))
		}
	}
	return events
}

func describe(changes []cdc.Change) (all []string) {
	for _, c := range changes {
		text := fmt.Sprintf("\n%d %v %s", c.Ordinal, c.Op, c.Relation.Name)
		for _, r := range []cdc.Tuple{c.Old, c.New} {
			text += " ("
			for i := range r.Len() {
				if r.Kind(i) == cdc.Unchanged {
					text += "~ "
				} else {
					text += string(r.Text(i)) + " "
				}
			}
			text += ")"
		}
		all = append(all, text)
	}
	return all
}

// often checks a property with many cases.
func often(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range rounds {
		if rapid.Check(t, property); t.Failed() {
			return
		}
	}
}

// TestHistory: whatever transactions do, and however they are split, their events tell of
// each row what has become of it.
func TestHistory(t *testing.T) {
	for _, profile := range []Profile{Guide, Native} {
		t.Run(string(profile), func(t *testing.T) {
			often(t, func(t *rapid.T) {
				w := newWorld(t, fullKey)
				if profile == Guide && rapid.Bool().Draw(t, "tasks by key") { // as setup has it
					w.s["task"].Identity = idKey
				}
				o := Options{Profile: profile, BatchSize: rapid.IntRange(1, 3).Draw(t, "batch"), DeletedRows: rapid.Bool().Draw(t, "deleted rows")}
				m := NewMapper(o)
				for n := range rapid.IntRange(1, 5).Draw(t, "transactions") {
					before := w.clone()
					changes := w.transaction()
					sizes := rapid.OneOf(rapid.Just([]int(nil)), rapid.SliceOfN(rapid.IntRange(1, 4), 0, len(changes))).Draw(t, "sizes")
					all := parts(cdc.LSN(n+1), changes, sizes...)
					events := mapParts(t, m, all)
					w.judge(profile, len(sizes) == 0, before, changes, events)
				}
			})
		})
	}
}

// gone reports whether a project is not there, or marked as deleted.
func gone(tables map[string]map[int]values, id any) bool {
	p := tables["project"][id.(int)]
	return p == nil || p[ofDeleted] != nil
}

// judge compares the events of a transaction with the tables before and after it. Where a
// project is deleted, marked or restored, or rows are moved out of one that is, what was
// sent with an earlier part cannot be taken back, and less is asked.
func (w *world) judge(profile Profile, whole bool, before map[string]map[int]values, changes []cdc.Change, events []*Event) {
	t, after := w.t, w.tables
	lives := livesOf(events)
	truncated := map[string]bool{}
	touched := map[int]bool{} // projects that the transaction deletes, marks or restores
	for _, c := range changes {
		if c.Op == cdc.Truncate {
			truncated[c.Relation.Name] = true
		}
		if c.Relation.Name == "project" && c.Op != cdc.Truncate {
			row := c.New
			if c.Op == cdc.Delete {
				row = c.Old
			}
			touched[int(ref(row, 0))] = true
		}
	}
	moved, last := map[int]bool{}, map[int]int64{} // rows that have several projects, and the last of each
	taskOf := map[int]int{}                        // last task of each annotation
	for _, c := range changes {
		if at := c.Relation.Index("project_id"); at >= 0 {
			for _, row := range []cdc.Tuple{c.Old, c.New} {
				if id := int(ref(row, 0)); !row.IsZero() {
					moved[id] = moved[id] || last[id] != 0 && last[id] != ref(row, at)
					last[id] = ref(row, at)
					taskOf[id] = int(ref(row, c.Relation.Index("task_id")))
				}
			}
		}
	}
	hidden := len(touched) > 0
	for id := range before["project"] {
		hidden = hidden || gone(before, id)
	}
	fail := func(name string, id int, want string) {
		l := lives[rowOf{map[string]table{"project": project, "task": task, "task_completion": annotation}[name], int64(id)}]
		if l == nil {
			l = &life{}
		}
		t.Fatalf("%s %d: %v of projects %v, want %s\nbefore %v\nafter %v\nevents %q\n%s", name, id, l.actions, l.projects, want, before, after, tellAll(events), describe(changes))
	}
	for of, name := range map[table]string{project: "project", task: "task", annotation: "task_completion"} {
		ids := map[int]bool{}
		for _, tables := range []map[string]map[int]values{before, after} {
			for id := range tables[name] {
				ids[id] = true
			}
		}
		for key := range lives {
			if key.of == of {
				ids[int(key.id)] = true
			}
		}
		for id := range ids {
			was, is := before[name][id], after[name][id]
			existed, exists := was != nil, is != nil
			l := lives[rowOf{of, int64(id)}]
			if l == nil {
				l = &life{}
			}
			if truncated[name] {
				if !exists && len(l.actions) > 0 && !existed && whole {
					fail(name, id, "nothing: it was truncated")
				}
				continue
			}
			var created, updated, deleted int
			for _, a := range l.actions {
				switch a {
				case ProjectCreated, TaskCreated, TasksCreated, AnnotationCreated, AnnotationsCreated:
					created++
				case ProjectUpdated, AnnotationUpdated:
					updated++
				case ProjectDeleted, TasksDeleted, AnnotationsDeleted:
					deleted++
				}
			}
			if of == project {
				existed, exists = !gone(before, id), !gone(after, id)
				switch {
				case !existed && exists && was != nil: // the mark is taken back
					if deleted > 0 || whole && created+updated > 1 {
						fail(name, id, "one update or creation at most")
					}
				case !existed && exists && whole && created != 1, existed && exists && (created+deleted > 0 || updated > 1),
					existed && !exists && (deleted != 1 || created+updated > 0), !existed && !exists && whole && created+updated+deleted > 0:
					fail(name, id, fmt.Sprintf("existed %t, exists %t", existed, exists))
				}
				continue
			}
			at := ofProject
			if of == annotation {
				at = ofTasksProject
			}
			if was != nil && touched[was[at].(int)] || is != nil && touched[is[at].(int)] || is == nil && was == nil { // the project may hide it
				if whole && is != nil && was == nil && !gone(after, is[at]) && created+updated == 0 && profile == Guide {
					fail(name, id, "a creation")
				}
				if is == nil && was == nil && whole && created+updated+deleted > 0 {
					fail(name, id, "nothing")
				}
				if existed && exists && created > 0 {
					fail(name, id, "no creation")
				}
				continue
			}
			if moved[id] && hidden { // one of its projects may have hidden it
				continue
			}
			hiddenBefore, hiddenAfter := was != nil && gone(before, was[at]), is != nil && gone(after, is[at])
			if hiddenBefore || hiddenAfter {
				if (was == nil || hiddenBefore) && (is == nil || hiddenAfter) && len(l.actions) > 0 {
					fail(name, id, "nothing, since it is hidden")
				}
				continue
			}
			taskBefore, taskAfter := false, false
			if of == annotation && was != nil {
				taskBefore = before["task"][taskOf[id]] != nil && after["task"][taskOf[id]] == nil
			}
			if of == annotation && is != nil {
				taskAfter = before["task"][is[ofTask].(int)] == nil
			}
			switch {
			case existed && exists:
				if created+deleted > 0 || whole && updated > 1 {
					fail(name, id, "one update at most")
				}
				if of == annotation && profile == Guide && updated == 0 && (was[ofResult] != is[ofResult] || was[ofUpdated] != is[ofUpdated] || was[ofTask] != is[ofTask]) {
					fail(name, id, "an update")
				}
			case existed:
				switch {
				case of == task && profile == Guide, of == annotation && profile == Native && taskBefore:
					if deleted > 0 {
						fail(name, id, "no deletion")
					}
				default:
					if deleted != 1 || whole && created+updated > 0 || created > 0 {
						fail(name, id, "one deletion")
					}
				}
			case exists:
				switch {
				case of == annotation && profile == Native && taskAfter:
					if created+updated+deleted > 0 {
						fail(name, id, "nothing")
					}
				case of == annotation && profile == Guide:
					if created+updated != 1 && whole || created+updated == 0 || deleted > 0 {
						fail(name, id, "a creation")
					}
				case created != 1 || whole && updated > 0 || deleted > 0:
					fail(name, id, "one creation")
				}
			}
			if !l.row.IsZero() && exists && (whole || profile == Native && created > 0) {
				for i := range is {
					want := row(w.s[name], is...)
					if text, kind := l.value(i); kind != want.Kind(i) || string(text) != string(want.Text(i)) {
						fail(name, id, fmt.Sprintf("column %d %v, not %q", i, is[i], text))
					}
				}
			}
			if last := len(l.actions) - 1; last >= 0 && exists && deleted == 0 && !l.row.IsZero() && (whole || profile == Native) {
				if l.projects[last] != int64(is[at].(int)) && l.projects[last] != 0 {
					fail(name, id, fmt.Sprintf("project %v", is[at]))
				}
			}
		}
	}
}
