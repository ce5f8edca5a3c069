package conformance

import "slices"

// rules say which events the rows of tasks and annotations make. They return the given
// events with those of the effect.
type rules struct {
	task, annotation func(tx transaction, e effect, events []event) []event
}

// profiles are the seven actions of Label Studio's webhooks guide, and what Label Studio itself
// sends. The latter test the parsing of the WAL's text, the bodies and the routing against the
// recorded requests, without the program.
var profiles = map[Profile]rules{Guide: {guideTask, guideAnnotation}, Native: {nativeTask, nativeAnnotation}}

// events returns the events of the transaction.
func (r rules) events(tx transaction) []event {
	var events []event
	for _, e := range tx.effects {
		// Deleting a project makes no events for its tasks and annotations.
		if e.table != projects && tx.projectGone(tx.projectOf(e)) {
			continue
		}
		switch e.table {
		case projects:
			events = append(events, ofProject(tx, e)...)
		case tasks:
			events = r.task(tx, e, events)
		case annotations:
			events = r.annotation(tx, e, events)
		}
	}
	return events
}

// ofProject is the same in both profiles: in the recording, updated_at moves with every
// setting.
func ofProject(tx transaction, e effect) []event {
	switch {
	case e.inserted():
		return []event{tx.event("PROJECT_CREATED", e)}
	case gone(e):
		return []event{tx.event("PROJECT_DELETED", e)}
	case e.updated() && e.changed("updated_at") && !tx.any(tasks, effect.inserted):
		return []event{tx.event("PROJECT_UPDATED", e)}
	default:
		return nil
	}
}

func guideTask(tx transaction, e effect, events []event) []event {
	if e.inserted() {
		return append(events, tx.event("TASK_CREATED", e))
	}
	return events
}

func guideAnnotation(tx transaction, e effect, events []event) []event {
	switch {
	case e.inserted() && e.after.is("was_cancelled"): // the task was skipped
		return append(events, tx.event("ANNOTATION_UPDATED", e))
	case e.inserted():
		return append(events, tx.event("ANNOTATION_CREATED", e))
	case e.updated() && annotationChanged(e):
		return append(events, tx.event("ANNOTATION_UPDATED", e))
	case e.deleted():
		return grouped(events, tx.event("ANNOTATIONS_DELETED", e))
	default:
		return events
	}
}

// annotationChanged reports whether the update is more than housekeeping.
func annotationChanged(e effect) bool {
	return slices.ContainsFunc([]string{"updated_at", "result", "was_cancelled", "ground_truth", "lead_time"}, e.changed)
}
