//go:build long

package main

import (
	"context"
	"slices"
	"strings"
)

// found makes a project, unless the session has enough of them.
func (s *session) found(ctx context.Context) error {
	if len(s.now.projects) > 4 {
		return nil
	}
	mark := s.mark()
	id, _, err := s.insert(ctx, "project", columns{
		"organization_id": s.organization, "created_by_id": s.user(), "title": mark, "description": s.text(),
		"label_config": s.noise(3000 * s.rng.IntN(2)), "expert_instruction": s.maybe(s.text()), "token": "secret",
		"data_types": `{"text": "Text"}`, "control_weights": s.json(mark), "parsed_label_config": s.maybe(s.json(mark)),
		"label_config_hash": s.rng.Int64(), "pinned_at": s.maybe(s.time()), "created_at": s.time(), "updated_at": s.time(),
		"show_instruction": false, "maximum_annotations": 1, "is_published": false, "show_skip_button": true,
		"enable_empty_annotation": true, "min_annotations_to_start_training": 0, "show_annotation_history": false,
		"show_collab_predictions": true, "show_ground_truth_first": false, "overlap_cohort_percentage": 100,
		"show_overlap_first": false, "result_count": 0, "is_draft": false, "evaluate_predictions_automatically": false,
		"reveal_preannotations_interactively": false,
	})
	s.now.projects[id] = projectModel{}
	return err
}

// configure changes a project: a setting, its updated_at, or what no hook is told
// of.
func (s *session) configure(ctx context.Context) error {
	id := s.aProject()
	change, isTold := columns{}, true
	switch s.rng.IntN(4) {
	case 0:
		change["pinned_at"], isTold = s.time(), false
	case 1: // the guide's profile sees it without updated_at
		change["title"], isTold = s.mark(), !s.native
	case 2:
		change["updated_at"] = s.time()
	default:
		change["description"], change["updated_at"] = s.mark()+s.text(), s.time()
	}
	p := s.now.projects[id]
	if p.stale = !isTold || p.shared; isTold {
		p.version++
	}
	s.now.projects[id] = p
	_, err := s.update(ctx, "project", []int64{id}, change)
	return err
}

// demolish deletes a project with everything in it, in any order.
func (s *session) demolish(ctx context.Context) error {
	id := s.anOwnProject()
	if id == 0 {
		return nil
	}
	tasks := s.now.tasksOf(id)
	s.now.dropProject(id)
	return s.remove(ctx, id, tasks)
}

// bin marks a project as deleted.
func (s *session) bin(ctx context.Context) error {
	id := s.anOwnProject()
	if id == 0 {
		return nil
	}
	tasks := map[int64]taskModel{}
	for _, task := range s.now.tasksOf(id) {
		tasks[task] = s.now.tasks[task]
	}
	s.now.trash[id] = tasks
	s.now.dropProject(id)
	_, err := s.update(ctx, "project", []int64{id}, columns{"deleted_at": s.time(), "updated_at": s.time()})
	return err
}

// emptyBin deletes what was marked; that was told already.
func (s *session) emptyBin(ctx context.Context) error {
	id := s.one(pick(s.now.trash, func(int64, map[int64]taskModel) bool { return true }))
	if id == 0 {
		return nil
	}
	tasks := pick(s.now.trash[id], func(int64, taskModel) bool { return true })
	delete(s.now.trash, id)
	return s.remove(ctx, id, tasks)
}

func (s *session) remove(ctx context.Context, project int64, tasks []int64) error {
	s.now.dropHooksOf(project)
	if err := s.exec(ctx, "DELETE FROM webhook_action WHERE webhook_id IN (SELECT id FROM webhook WHERE project_id = $1)", project); err != nil {
		return err
	}
	deleteTasks := func() error { return s.exec(ctx, "DELETE FROM task WHERE id = ANY ($1)", tasks) }
	if s.rng.IntN(2) == 0 {
		if err := deleteTasks(); err != nil {
			return err
		}
		deleteTasks = func() error { return nil }
	}
	if err := s.inAnyOrder(ctx, project, "DELETE FROM project WHERE id = $1", "DELETE FROM task_completion WHERE project_id = $1",
		"DELETE FROM webhook WHERE project_id = $1"); err != nil {
		return err
	}
	return deleteTasks()
}

// actions are those that a hook may choose, in both spellings where there are two.
var actions = []string{
	"PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED", "TASK_CREATED", "TASKS_CREATED", "TASKS_DELETED",
	"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
}

// hire makes a hook: of the session's home, of a project of its own, or of the
// whole organization.
func (s *session) hire(ctx context.Context) error {
	if len(s.now.hooks) > 5 {
		return nil
	}
	h := hookModel{active: s.rng.IntN(5) > 0, payload: s.rng.IntN(4) > 0, all: s.rng.IntN(2) == 0, organization: s.organization}
	switch s.rng.IntN(3) {
	case 0:
		h.project = s.home
	case 1:
		h.project = s.anOwnProject()
	}
	var id int64
	err := s.conn.QueryRow(ctx, `INSERT INTO webhook (id, url, headers, send_payload, send_for_all_actions, is_active, organization_id, project_id, created_at, updated_at)
		SELECT id, $1 || '/h/' || id, '{}', $2, $3, $4, $5, nullif($6, 0)::integer, now(), now() FROM nextval('webhook_id_seq') id RETURNING id`,
		s.receiver, h.payload, h.all, h.active, h.organization, h.project).Scan(&id)
	s.log("insert webhook %d %+v", id, h)
	s.now.hooks[id] = h
	return err
}

// retrain changes a hook: a switch of it, or what it chose.
func (s *session) retrain(ctx context.Context) error {
	id := s.aHook()
	if id == 0 {
		return nil
	}
	h := s.now.hooks[id]
	change := columns{"updated_at": s.time()}
	switch s.rng.IntN(6) {
	case 0, 1:
		h.active = !h.active
		change["is_active"] = h.active
	case 2:
		h.all = !h.all
		change["send_for_all_actions"] = h.all
	case 3:
		h.payload = !h.payload
		change["send_payload"] = h.payload
	default:
		action := actions[s.rng.IntN(len(actions))]
		chosen := slices.Contains(strings.Fields(h.actions), action)
		h.actions = listOf(h.actions, action)
		s.now.hooks[id] = h
		if chosen {
			return s.exec(ctx, "DELETE FROM webhook_action WHERE webhook_id = $1 AND action = $2", id, action)
		}
		return s.exec(ctx, "INSERT INTO webhook_action (webhook_id, action) VALUES ($1, $2)", id, action)
	}
	s.now.hooks[id] = h
	_, err := s.update(ctx, "webhook", []int64{id}, change)
	return err
}

// dismiss deletes a hook.
func (s *session) dismiss(ctx context.Context) error {
	id := s.aHook()
	if id == 0 {
		return nil
	}
	delete(s.now.hooks, id)
	return s.inAnyOrder(ctx, id, "DELETE FROM webhook WHERE id = $1", "DELETE FROM webhook_action WHERE webhook_id = $1")
}

func (s *session) aHook() int64 {
	return s.one(pick(s.now.hooks, func(int64, hookModel) bool { return true }))
}
