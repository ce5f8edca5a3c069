package mapping

import (
	"log/slog"
	"time"
)

// Profile says whose rules turn row changes into events.
type Profile string

// The two profiles.
const (
	Guide  Profile = "guide"  // the seven actions of the webhooks guide
	Native Profile = "native" // what Label Studio 1.2x sends itself
)

// Actions is those of the events that the profile makes.
func (p Profile) Actions() []Action {
	if p == Native {
		return []Action{
			ProjectCreated, ProjectUpdated, ProjectDeleted, TasksCreated, TasksDeleted,
			AnnotationCreated, AnnotationsCreated, AnnotationUpdated, AnnotationsDeleted,
		}
	}
	return []Action{
		ProjectCreated, ProjectUpdated, ProjectDeleted, TaskCreated,
		AnnotationCreated, AnnotationUpdated, AnnotationsDeleted,
	}
}

// Tables are the names of Label Studio's tables.
type Tables struct {
	Schema, Project, Task, Annotation string
}

// Options configure all parts of the package. The zero value is the guide's
// profile on Label Studio's own table names, without settling.
type Options struct {
	Tables      Tables            // empty names: public, project, task, task_completion
	Profile     Profile           // empty: Guide
	SendSecrets bool              // send project.token and project.task_data_password
	DeletedRows bool              // send the fields of deleted annotations, where known
	BatchSize   int               // rows told by one event at most; 0: 5000, as WEBHOOK_BATCH_SIZE
	BatchBytes  int               // of the rows that one RenderFirst reads, about; 0: no bound. What one event needs is always read.
	Settle      time.Duration     // how long after its commit an event is rendered
	Wanted      func(Action) bool // whether somebody may want TaskCompleted or TaskReopened, which are made for nobody else; nil: nobody does
	Projects    *Projects         // shared by a Mapper and a Renderer; nil: projects are read anew for each batch
	CountShare  float64           // of a database core that counting in one project may take; 0: a tenth, 1: no bound
	Log         *slog.Logger      // nil: nothing is logged
	Metrics     *Metrics          // nil: nothing is counted
}

func (o Options) withDefaults() Options {
	fallback := func(name *string, value string) {
		if *name == "" {
			*name = value
		}
	}
	fallback(&o.Tables.Schema, "public")
	fallback(&o.Tables.Project, "project")
	fallback(&o.Tables.Task, "task")
	fallback(&o.Tables.Annotation, "task_completion")
	if o.Profile == "" {
		o.Profile = Guide
	}
	if o.BatchSize <= 0 {
		o.BatchSize = 5000
	}
	if o.CountShare <= 0 {
		o.CountShare = countShare
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// name is the name of the table in the database, without its schema.
func (t Tables) name(of table) string {
	switch of {
	case project:
		return t.Project
	case task:
		return t.Task
	case annotation:
		return t.Annotation
	default:
		return ""
	}
}
