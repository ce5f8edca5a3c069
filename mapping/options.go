package mapping

import (
	"log/slog"
	"time"
)

// Profile selects the rules that turn row changes into events.
type Profile string

// The two profiles.
const (
	Guide  Profile = "guide"  // the seven actions of the webhooks guide
	Native Profile = "native" // what Label Studio 1.2x sends itself
)

// Actions returns the actions of the profile's events.
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

// Options configures all parts of the package. The zero value is the guide's profile with
// Label Studio's own table names, without settling.
type Options struct {
	Tables      Tables            // empty names: public, project, task, task_completion
	Profile     Profile           // empty: Guide
	SendSecrets bool              // send project.token and project.task_data_password
	DeletedRows bool              // send the fields of deleted annotations, where known
	BatchSize   int               // maximum rows in one event; 0: 5000, as WEBHOOK_BATCH_SIZE
	BatchBytes  int               // approximate bound of the rows that one RenderFirst reads; 0: no bound. Rows of the first event are always read.
	Settle      time.Duration     // time from an event's commit to its rendering
	Wanted      func(Action) bool // whether any hook may want TaskCompleted or TaskReopened, which are only made then; nil: none does
	Projects    *Projects         // shared by a Mapper and a Renderer; nil: projects are read for each batch
	CountShare  float64           // share of a database core for counting in one project; 0: a tenth, 1: no bound
	Log         *slog.Logger      // nil: no log
	Metrics     *Metrics          // nil: unregistered ones
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
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return o
}

// name returns the table's name in the database, without its schema.
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
