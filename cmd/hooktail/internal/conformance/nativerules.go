package conformance

// native has the rules for what Label Studio itself sends. They test the parsing of the
// WAL's text, the bodies and the routing against the recorded requests, without the
// program.
func native() rules { return rules{nativeTask, nativeAnnotation} }

func nativeTask(tx transaction, e effect, events []event) []event {
	switch {
	case e.inserted():
		return grouped(events, taskCreated(tx, "TASKS_CREATED", e))
	case e.deleted():
		ev := tx.event("TASKS_DELETED", e)
		ev.deleted = []int64{e.id}
		ev.tasks = ev.deleted
		return grouped(events, ev)
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
		return grouped(events, tx.annotationEvent("ANNOTATIONS_CREATED", e))
	case e.inserted():
		return append(events, tx.annotationEvent("ANNOTATION_CREATED", e))
	case e.updated() && e.changed("updated_at"):
		return append(events, tx.annotationEvent("ANNOTATION_UPDATED", e))
	case e.deleted() && tx.any(tasks, func(t effect) bool { return t.deleted() && itsTask(t) }):
		return events // deleted with its task
	case e.deleted():
		return grouped(events, annotationDeleted(tx, e))
	default:
		return events
	}
}
