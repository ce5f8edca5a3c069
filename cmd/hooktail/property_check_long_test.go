//go:build long

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// checkRolledBack: no write that was rolled back is in any body.
func (w *world) checkRolledBack(t *testing.T, requests []conformance.Request) {
	t.Helper()
	mark := regexp.MustCompile(`mark:\d+:\d+;`)
	for _, r := range requests {
		for _, found := range mark.FindAll(r.Body, -1) {
			for _, s := range w.sessions {
				if tx := s.rolledBack[string(found)]; tx != nil {
					w.fault(t, "hook %d was told of %s, which was rolled back: %s", r.Hook, found, tx)
				}
			}
		}
	}
}

// checkOnce: no event comes twice, and what one event of a transaction can tell
// of a project is not split over several.
func (w *world) checkOnce(t *testing.T, hook int64, deliveries []delivery) {
	t.Helper()
	type group struct {
		commit  uint64
		action  string
		project int64
	}
	ids, groups := map[string]bool{}, map[group]string{}
	for _, d := range deliveries {
		if ids[d.id] {
			w.fault(t, "hook %d was told of event %s twice", hook, d.id)
		}
		ids[d.id] = true
		if !d.payload || !strings.Contains(d.action, "S_") || d.action == "TASKS_CREATED" && !w.native {
			continue
		}
		g := group{d.at.commit, d.action, d.project}
		if earlier, again := groups[g]; again {
			w.fault(t, "hook %d was told of %s in project %d by %s and by %s of the same transaction", hook, d.action, d.project, earlier, d.id)
		}
		groups[g] = d.id
	}
}

// checkTold: the hook that listens to everything is told of each fact that was
// committed, once, with the rows as of the commit, and of nothing else.
func (w *world) checkTold(t *testing.T, organization int64, deliveries []delivery) {
	t.Helper()
	due := map[fact][]told{}
	for _, s := range w.sessions {
		if s.organization != organization {
			continue
		}
		for _, told := range s.told {
			due[told.fact] = append(due[told.fact], told)
		}
	}
	for _, d := range deliveries {
		for fact, body := range d.facts() {
			all := due[fact]
			if len(all) == 0 {
				w.fault(t, "event %s tells of %v, which is not so; transaction of the mark: %s", d.id, fact, w.journalOf(fact.mark))
				continue
			}
			due[fact] = all[1:]
			if body == nil {
				continue
			}
			for _, line := range conformance.Diff(asAnnotation(all[0].annotation), body) {
				w.fault(t, "event %s, %v: %s; transaction: %s", d.id, fact, line, all[0].tx)
			}
		}
	}
	for fact, lacking := range due {
		for _, told := range lacking {
			w.fault(t, "organization %d was not told of %v; transaction: %s", organization, fact, told.tx)
		}
	}
}

// checkOrder: events of one task come in the order of their commits, and those
// of its project in order with them.
func (w *world) checkOrder(t *testing.T, hook int64, deliveries []delivery) {
	t.Helper()
	type lane struct{ project, task int64 } // task 0: the latest of all in the project
	latest := map[lane]delivery{}
	whole := map[int64]delivery{} // by project: the latest that holds everything in it back
	behind := func(earlier, d delivery) {
		if earlier.id != "" && earlier.at.compare(d.at) > 0 {
			w.fault(t, "hook %d was told of %s %s in project %d after %s %s", hook, d.action, d.id, d.project, earlier.action, earlier.id)
		}
	}
	for _, d := range deliveries {
		if !d.payload { // which does not say what it is about
			continue
		}
		all := lane{d.project, 0}
		tasks := w.tasksOf(d)
		behind(whole[d.project], d)
		if len(tasks) == 1 {
			own := lane{d.project, tasks[0]}
			behind(latest[own], d)
			latest[own] = d
		} else {
			behind(latest[all], d)
			whole[d.project] = d
		}
		if latest[all].at.compare(d.at) < 0 {
			latest[all] = d
		}
	}
}

// tasksOf are the tasks that the delivery is about, none if it is about a project.
func (w *world) tasksOf(d delivery) []int64 {
	tasks := map[int64]bool{}
	for _, a := range d.annotations {
		tasks[a.task] = true
	}
	for _, id := range d.erased {
		for _, s := range w.sessions {
			if task, ok := s.taskOf[id]; ok {
				tasks[task] = true
			}
		}
	}
	for _, id := range d.tasks {
		tasks[id] = true
	}
	return pick(tasks, func(int64, bool) bool { return true })
}
