//go:build long || external

package promtest

import (
	"fmt"
	"os"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }

// The hooks of a scene, by id.
const (
	healthy  = 1
	flaky    = 2 // fails now and then
	down     = 3 // until somebody repairs it
	picky    = 4 // takes no event, and says so
	moved    = 5 // redirects for ever
	unusable = 6 // its URL is none
	hooks    = 6
)

// scene is a database with hooks of all kinds, and their receiver.
type scene struct {
	db       *cdctest.Database
	receiver *dispatchtest.Server
	tasks    int // that were annotated
}

func path(hook int) string { return fmt.Sprintf("/h/%d", hook) }

// newScene makes the hooks: each wants everything of its organization.
func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{db: cdctest.Postgres(t).LabelStudio(t), receiver: dispatchtest.Receiver(t)}
	s.db.Exec(t, "DELETE FROM webhook_action")
	s.db.Exec(t, "DELETE FROM webhook")
	s.db.Exec(t, `INSERT INTO webhook (id, url, organization_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT n, CASE n WHEN $2 THEN 'ftp' ELSE $1 END || '/h/' || n, 1, true, true, '{}', true, now() - interval '1 day', now()
		FROM generate_series(1, $3::int) n`, s.receiver.URL, unusable, hooks)
	var steps []dispatchtest.Step
	for n := range 300 {
		steps = append(steps, dispatchtest.Status(map[bool]int{true: 500, false: 200}[n%5 == 0]))
	}
	s.receiver.Script(path(flaky), append(steps, dispatchtest.Status(200))...)
	s.receiver.Script(path(down), dispatchtest.Status(503))
	s.receiver.Script(path(picky), dispatchtest.Status(400))
	s.receiver.Script(path(moved), dispatchtest.Redirect(302, "/elsewhere"))
	return s
}

// work is what a few minutes of annotating do to the database.
func (s *scene) work(t *testing.T, tasks int) {
	t.Helper()
	for range tasks {
		s.tasks++
		task := s.db.QueryText(t, `INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations,
			cancelled_annotations, total_predictions, comment_count, unresolved_comment_count)
			VALUES ('{}', now(), now(), false, 1, 1, 0, 0, 0, 0, 0) RETURNING id`)
		annotation := s.db.QueryText(t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
			ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
			VALUES ('[]', $1::text::int, 1, 1, 1, false, false, now(), now(), '{}', 0, false) RETURNING id`, task)
		s.db.Exec(t, `UPDATE task_completion SET result = '[{}]', updated_at = now() WHERE id = $1::text::int`, annotation)
		if s.tasks%2 == 0 {
			s.db.Exec(t, `DELETE FROM task_completion WHERE id = $1::text::int`, annotation)
		}
	}
	s.db.Exec(t, "UPDATE project SET title = title || '!', updated_at = now() WHERE id = 1")
}

// events is how many events every hook got.
func (s *scene) events() int {
	seen := make(map[string]bool)
	for _, r := range s.receiver.Requests(path(healthy)) {
		seen[r.Event] = true
	}
	return len(seen)
}

// awaitDelivered waits until the hook has answered that many events with 2xx.
func (s *scene) awaitDelivered(t *testing.T, hook, events int) {
	t.Helper()
	s.receiver.WaitFor(t, path(hook), fmt.Sprintf("%d events to be accepted", events), func(got []dispatchtest.Request) bool {
		accepted := make(map[string]bool)
		for _, r := range got {
			if r.Status/100 == 2 {
				accepted[r.Event] = true
			}
		}
		return len(accepted) >= events
	})
}
