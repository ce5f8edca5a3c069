package conformance

func nativeTask(tx transaction, e effect, events []event) []event {
	switch {
	case e.inserted():
		return grouped(events, tx.event("TASKS_CREATED", e))
	case e.deleted():
		return grouped(events, tx.event("TASKS_DELETED", e))
	default:
		return events
	}
}

func nativeAnnotation(tx transaction, e effect, events []event) []event {
	itsTask := func(t effect) bool { return t.id == e.last().id("task_id") }
	switch {
	case e.inserted() && tx.any(tasks, func(t effect) bool { return t.inserted() && itsTask(t) }):
		return events // imported with its task
	case e.inserted() && !e.after.null("parent_prediction_id") && e.after.null("updated_by_id"):
		return grouped(events, tx.event("ANNOTATIONS_CREATED", e))
	case e.inserted():
		return append(events, tx.event("ANNOTATION_CREATED", e))
	case e.updated() && e.changed("updated_at"):
		return append(events, tx.event("ANNOTATION_UPDATED", e))
	case e.deleted() && tx.any(tasks, func(t effect) bool { return t.deleted() && itsTask(t) }):
		return events // deleted with its task
	case e.deleted():
		return grouped(events, tx.event("ANNOTATIONS_DELETED", e))
	default:
		return events
	}
}
