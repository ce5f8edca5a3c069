package mapping

import (
	"bytes"
	"strconv"
)

// encode builds the event's payload. It uses a buffer of the renderer and stores an exact
// copy: a payload lives as long as its slowest hook needs it, so it must not hold the
// memory of others.
func (r *Renderer) encode(e *Event) {
	if e.subject.relation == nil { // already rendered
		return
	}
	dst := r.scratch[:0]
	switch e.Action {
	case ProjectCreated, ProjectUpdated:
		dst = r.appendProject(dst, e)
	case ProjectDeleted:
		dst = appendIDObject(append(dst, `"project": `...), e.subject.id)
	case TaskCreated:
		dst = append(dst, `"tasks": [`...)
		dst = append(r.appendNewTask(dst, e), ']')
	case TasksCreated:
		dst = r.appendList(dst, `"tasks": [`, e, func(dst []byte, i int) []byte {
			return r.appendTask(dst, e.subject.group.members[i].id)
		})
	case TasksDeleted:
		dst = r.appendList(dst, `"tasks": [`, e, func(dst []byte, i int) []byte {
			return appendIDObject(dst, e.subject.group.members[i].id)
		})
	case AnnotationsDeleted:
		dst = r.appendList(dst, `"annotations": [`, e, func(dst []byte, i int) []byte {
			return r.appendDeleted(dst, e.subject.group, i, e)
		})
	case AnnotationsCreated:
		dst = r.appendList(dst, `"annotation": [`, e, func(dst []byte, i int) []byte {
			g := e.subject.group
			return r.appendAnnotation(dst, e, g.members[i].id, g.image(i))
		})
		dst = r.appendList(dst, `, "task": [`, e, func(dst []byte, i int) []byte {
			return r.appendTask(dst, e.subject.group.members[i].task)
		})
	case AnnotationCreated, AnnotationUpdated:
		dst = r.appendAnnotation(append(dst, `"annotation": `...), e, e.subject.id, e.subject.image)
		dst = r.appendTask(append(dst, `, "task": `...), e.Task)
	case TaskCompleted, TaskReopened:
		dst = r.appendTask(append(dst, `"task": `...), e.Task)
		dst = r.appendLeft(append(dst, `, "tasks_left": `...), e.Project)
	default:
		dst = append(append(dst, `"payload": `...), payloadOf(e.subject.image.row)...)
		dst = r.appendTask(append(dst, `, "task": `...), e.Task)
	}
	e.Payload = bytes.Clone(dst)
	if p := r.batch.projects[e.Project]; p != nil && e.Action.table() != project {
		p.nested.shared++
		e.nested = p.nested
	}
	e.subject = subject{}
	if r.scratch = dst; cap(dst) > scratchBytes {
		r.scratch = nil
	}
}

func (r *Renderer) appendList(dst []byte, open string, e *Event, element func([]byte, int) []byte) []byte {
	dst = append(dst, open...)
	for i := range e.subject.group.members {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = element(dst, i)
	}
	return append(dst, ']')
}

// appendProject appends the project as read, or as of its commit if it was deleted
// meanwhile. Then its content can no longer be counted: a new project was empty, for
// others the counts are omitted.
func (r *Renderer) appendProject(dst []byte, e *Event) []byte {
	s := &e.subject
	if p := r.batch.projects[e.Project]; p.kept != nil || s.image.row.IsZero() {
		return append(dst, p.nested.json...)
	}
	dst = append(dst, `"project": {`...)
	dst, omitted := r.formatOf(s.relation, e.Action.table()).appendFields(dst, s.image, read{}, nil)
	r.opts.Metrics.omitted.Add(float64(omitted))
	if e.Action == ProjectCreated {
		dst = append(append(dst, ", "...), zeroCounts...)
	}
	return append(dst, '}')
}

// appendNewTask appends the task as read, or as of its commit if it was not read or was
// deleted meanwhile.
func (r *Renderer) appendNewTask(dst []byte, e *Event) []byte {
	s := &e.subject
	if _, found := r.batch.tasks[s.id]; found || s.image.row.IsZero() {
		return r.appendTask(dst, s.id)
	}
	if _, wanted := r.batch.want[task].seen[s.id]; wanted {
		r.opts.Metrics.gone[task].Inc()
	}
	dst, omitted := r.formatOf(s.relation, e.Action.table()).appendFields(append(dst, '{'), s.image, read{}, r.batch.types(e.Project))
	r.opts.Metrics.omitted.Add(float64(omitted))
	if s.relation.Index(commentAuthors) < 0 {
		dst = append(dst, `, "comment_authors": []`...)
	}
	return append(dst, '}')
}

func (r *Renderer) appendTask(dst []byte, id int64) []byte {
	if at, ok := r.batch.tasks[id]; ok {
		return append(dst, r.batch.encoded[at.from:at.to]...)
	}
	if id == 0 { // an annotation without a task
		return append(dst, "null"...)
	}
	r.opts.Metrics.gone[task].Inc()
	return appendIDObject(dst, id)
}

// appendAnnotation appends an annotation as of its commit, completed from the row read;
// if it could not be kept, as read.
func (r *Renderer) appendAnnotation(dst []byte, e *Event, id int64, i image) []byte {
	later, found := r.batch.annotations[id]
	f := r.formatOf(e.subject.relation, annotation)
	if i.row.IsZero() && found {
		f, i = r.formatOf(later.relation, annotation), image{row: later.row}
	}
	if i.row.IsZero() {
		r.opts.Metrics.gone[annotation].Inc()
		return appendIDObject(dst, id)
	}
	dst, omitted := f.appendFields(append(dst, '{'), i, later, nil)
	r.opts.Metrics.omitted.Add(float64(omitted))
	return append(dst, '}')
}

// appendDeleted appends what is known of a deleted annotation: its id, or the whole old
// row if configured.
func (r *Renderer) appendDeleted(dst []byte, g *group, i int, e *Event) []byte {
	old := g.image(i).old
	if old.IsZero() {
		return appendIDObject(dst, g.members[i].id)
	}
	dst, _ = r.formatOf(e.subject.relation, annotation).appendFields(append(dst, '{'), image{row: old}, read{}, nil)
	return append(dst, '}')
}

func (r *Renderer) appendLeft(dst []byte, project int64) []byte {
	p, counts := r.batch.projects[project], r.counter.of(project)
	if p == nil || p.kept == nil || counts.json == nil {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, counts.left, 10)
}
