package mapping

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
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
	foreign := []Action{TasksCreated, TasksDeleted, AnnotationsCreated}
	if p == Native {
		foreign = []Action{TaskCreated}
	}
	return slices.DeleteFunc(slices.Clone(actions[:]), func(a Action) bool { return slices.Contains(foreign, a) })
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
	o.Tables.Schema = cmp.Or(o.Tables.Schema, "public")
	o.Tables.Project = cmp.Or(o.Tables.Project, "project")
	o.Tables.Task = cmp.Or(o.Tables.Task, "task")
	o.Tables.Annotation = cmp.Or(o.Tables.Annotation, "task_completion")
	o.Profile = cmp.Or(o.Profile, Guide)
	o.BatchSize = cmp.Or(o.BatchSize, 5000)
	o.CountShare = cmp.Or(o.CountShare, countShare)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return o
}

func (t Tables) name(of table) string {
	return [...]string{other: "", project: t.Project, task: t.Task, annotation: t.Annotation}[of]
}

func (t Tables) quoted(name string) string { return pgx.Identifier{t.Schema, name}.Sanitize() }
