//go:build long

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// step makes one random change, if there is something to make it of.
func (s *session) step(ctx context.Context) error {
	steps := []struct {
		weight int
		do     func(context.Context) error
	}{
		{24, s.annotate},
		{22, s.rework},
		{3, s.reworkAll},
		{3, s.touch},
		{6, s.erase},
		{12, s.upload},
		{6, s.relabel},
		{4, s.discard},
		{2, s.orphan},
		{3, s.found},
		{5, s.configure},
		{2, s.demolish},
		{2, s.bin},
		{1, s.emptyBin},
		{3, s.hire},
		{3, s.retrain},
		{1, s.dismiss},
	}
	total := 0
	for _, step := range steps {
		total += step.weight
	}
	at := s.rng.IntN(total)
	for _, step := range steps {
		if at -= step.weight; at < 0 {
			return step.do(ctx)
		}
	}
	return nil
}

// one is a random one of the ids, 0 if there is none.
func (s *session) one(ids []int64) int64 {
	if len(ids) == 0 {
		return 0
	}
	return ids[s.rng.IntN(len(ids))]
}

func (s *session) aProject() int64 {
	return s.one(pick(s.now.projects, func(int64, projectModel) bool { return true }))
}

func (s *session) anOwnProject() int64 {
	return s.one(pick(s.now.projects, func(_ int64, p projectModel) bool { return !p.shared }))
}

// aTask is one time in three one that the transaction has inserted.
func (s *session) aTask() int64 {
	fresh := s.rng.IntN(3) == 0
	found := s.one(pick(s.now.tasks, func(id int64, t taskModel) bool { return !t.orphan && (!fresh || s.isNewTask(id)) }))
	if found == 0 && fresh {
		return s.aTask()
	}
	return found
}

// anAnnotation is half of the time one that the transaction has changed already.
func (s *session) anAnnotation() int64 {
	again := s.rng.IntN(2) == 0
	found := s.one(pick(s.now.annotations, func(id int64, a annotationModel) bool {
		return !s.now.tasks[a.task].orphan && (!again || a.mark != s.committed.annotations[id].mark)
	}))
	if found == 0 && again {
		return s.anAnnotation()
	}
	return found
}

// annotate saves or skips a task.
func (s *session) annotate(ctx context.Context) error {
	task := s.aTask()
	if task == 0 {
		return nil
	}
	_, err := s.addAnnotation(ctx, task)
	return err
}

func (s *session) addAnnotation(ctx context.Context, task int64) (int64, error) {
	project := s.now.tasks[task].project
	mark := s.mark()
	skipped := s.rng.IntN(8) == 0 && task != s.anchor
	var prediction any // makes it one of ANNOTATIONS_CREATED in the native profile
	if s.rng.IntN(6) == 0 {
		prediction = 1 + s.rng.IntN(6)
	}
	id, row, err := s.insert(ctx, "task_completion", columns{
		"task_id": task, "project_id": project, "last_action": mark, "result": s.json(mark), "prediction": s.maybe(s.json(mark)),
		"was_cancelled": skipped, "ground_truth": s.rng.IntN(2) == 0, "created_at": s.time(), "updated_at": s.time(),
		"draft_created_at": s.maybe(s.time()), "lead_time": s.float(), "result_count": s.rng.IntN(5), "bulk_created": s.rng.IntN(2) == 0,
		"completed_by_id": s.user(), "updated_by_id": s.user(), "last_created_by_id": s.user(), "parent_prediction_id": prediction,
		"unique_id": s.maybe(s.uuid()), "import_id": s.maybe(s.rng.Int64()),
	})
	if err != nil {
		return 0, err
	}
	s.taskOf[id] = task
	s.now.annotations[id] = annotationModel{task: task, project: project, skipped: skipped, mark: mark, row: row, untold: s.isNewTask(task)}
	return id, nil
}

// rework changes an annotation: its result, or only what stands beside it, so
// that a TOASTed result is not in the WAL.
func (s *session) rework(ctx context.Context) error {
	id := s.anAnnotation()
	if id == 0 {
		return nil
	}
	return s.changeAnnotations(ctx, []int64{id})
}

// reworkAll changes all annotations of a task at once.
func (s *session) reworkAll(ctx context.Context) error {
	ids := s.now.annotationsOf(s.aTask())
	if len(ids) == 0 {
		return nil
	}
	return s.changeAnnotations(ctx, ids)
}

func (s *session) changeAnnotations(ctx context.Context, ids []int64) error {
	mark := s.mark()
	change := columns{"last_action": mark, "lead_time": s.float(), "ground_truth": s.rng.IntN(2) == 0, "updated_by_id": s.user()}
	skipped := s.rng.IntN(4) == 0
	if s.rng.IntN(2) == 0 {
		change["result"], change["was_cancelled"] = s.json(mark), skipped
	}
	if s.native || s.rng.IntN(4) > 0 {
		change["updated_at"] = s.time()
	} else { // the guide's profile sees it by the columns that tell, of which one has to differ
		change["lead_time"] = fmt.Sprint(1 + s.rng.Float64())
	}
	written, err := s.update(ctx, "task_completion", ids, change)
	for id, row := range written {
		a := s.now.annotations[id]
		a.mark, a.row, a.quiet, a.untold = mark, row, false, a.untold && s.isNewTask(a.task)
		if change["was_cancelled"] != nil {
			a.skipped = skipped
		}
		s.now.annotations[id] = a
	}
	return err
}

func (s *session) isNewTask(id int64) bool {
	_, known := s.committed.tasks[id]
	return !known
}

// touch changes what no hook is told of.
func (s *session) touch(ctx context.Context) error {
	id := s.anAnnotation()
	if id == 0 {
		return nil
	}
	written, err := s.update(ctx, "task_completion", []int64{id}, columns{"updated_by_id": s.user()})
	for id, row := range written {
		a := s.now.annotations[id]
		a.row, a.quiet = row, true
		s.now.annotations[id] = a
	}
	return err
}

// erase deletes some annotations, of whatever tasks and projects.
func (s *session) erase(ctx context.Context) error {
	ids := map[int64]bool{}
	for range 1 + s.rng.IntN(4) {
		if id := s.anAnnotation(); id != 0 {
			ids[id] = true
		}
	}
	gone := pick(ids, func(int64, bool) bool { return true })
	for _, id := range gone {
		delete(s.now.annotations, id)
	}
	return s.exec(ctx, "DELETE FROM task_completion WHERE id = ANY ($1)", gone)
}

// upload adds tasks, some with annotations.
func (s *session) upload(ctx context.Context) error {
	project := s.aProject()
	for range 1 + s.rng.IntN(3) {
		task, err := s.addTask(ctx, project)
		if err != nil {
			return err
		}
		if s.rng.IntN(4) == 0 {
			if _, err := s.addAnnotation(ctx, task); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) addTask(ctx context.Context, project int64) (int64, error) {
	mark := s.mark()
	id, row, err := s.insert(ctx, "task", columns{
		"project_id": project, "data": s.json(mark), "meta": s.maybe(s.json(mark)), "created_at": s.time(), "updated_at": s.time(),
		"is_labeled": false, "overlap": 1, "inner_id": s.maybe(s.writes), "total_annotations": 0, "cancelled_annotations": 0,
		"total_predictions": 0, "comment_count": 0, "unresolved_comment_count": 0, "precomputed_agreement": s.float(),
		"allow_skip": s.maybe(true), "updated_by_id": s.user(),
	})
	s.now.tasks[id] = taskModel{project: project, row: row}
	return id, err
}

// relabel changes a task, which no hook is told of.
func (s *session) relabel(ctx context.Context) error {
	task := s.aTask()
	if task == 0 {
		return nil
	}
	change := columns{"is_labeled": s.rng.IntN(2) == 0, "updated_at": s.time()}
	if s.rng.IntN(2) == 0 {
		change["data"] = s.json(s.mark())
	}
	return s.changeTask(ctx, task, change)
}

// discard deletes a task with its annotations, in either order: the foreign keys
// are deferred.
func (s *session) discard(ctx context.Context) error {
	task := s.one(pick(s.now.tasks, func(_ int64, t taskModel) bool { return !t.anchor }))
	if task == 0 {
		return nil
	}
	s.now.dropTask(task)
	return s.inAnyOrder(ctx, task, "DELETE FROM task WHERE id = $1", "DELETE FROM task_completion WHERE task_id = $1")
}

// orphan clears the project of a task, as the Data Manager does in a transaction
// of its own before it deletes it.
func (s *session) orphan(ctx context.Context) error {
	task := s.one(pick(s.now.tasks, func(id int64, t taskModel) bool { return !t.anchor && !t.orphan && !s.isNewTask(id) }))
	if task == 0 {
		return nil
	}
	t := s.now.tasks[task]
	t.orphan = true
	s.now.tasks[task] = t
	return s.changeTask(ctx, task, columns{"project_id": nil})
}

func (s *session) changeTask(ctx context.Context, task int64, change columns) error {
	written, err := s.update(ctx, "task", []int64{task}, change)
	t := s.now.tasks[task]
	t.row = written[task]
	s.now.tasks[task] = t
	return err
}

func (s *session) inAnyOrder(ctx context.Context, arg any, statements ...string) error {
	s.rng.Shuffle(len(statements), func(i, j int) { statements[i], statements[j] = statements[j], statements[i] })
	for _, sql := range statements {
		if err := s.exec(ctx, sql, arg); err != nil {
			return err
		}
	}
	return nil
}

// text is a string that JSON, Go and SQL write each in their own way.
func (s *session) text() string {
	words := []string{"plain", `"`, `\`, "/", "\n", "\t", "\x01", "\x7f", "<script>&amp;", "é", "Ж", "漢", "😀", "👩\u200d🚀", "\u2028", "\u2029", "\ufeff", "\uffff", "'", "$1", "%s", `\u0041`}
	var b strings.Builder
	for range s.rng.IntN(6) {
		b.WriteString(words[s.rng.IntN(len(words))])
	}
	return b.String()
}

// json is a value for a jsonb column with the mark in it: small, or one in eight
// times too large for the row, so that it is TOASTed, compressed or not.
func (s *session) json(mark string) string {
	numbers := []string{
		"0", "-0.0", "1.0", "0.1", "1e300", "-1e-7", "1e21", "9007199254740993", "-9223372036854775809",
		"1234567890123456789012345678901234567890", "0.30000000000000000000000000000000000004",
	}
	value := []any{
		mark, s.text(), json.Number(numbers[s.rng.IntN(len(numbers))]), nil, true,
		map[string]any{s.text(): s.text(), "nested": []any{map[string]any{}, []any{}, s.rng.IntN(1000)}},
	}
	switch s.rng.IntN(16) {
	case 0:
		value = append(value, s.noise(30_000))
	case 1:
		value = append(value, strings.Repeat(s.text()+"x", 20_000/8))
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error() // which is no JSON: the database says so
	}
	return string(text)
}

// noise is a text that does not compress.
func (s *session) noise(size int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	text := make([]byte, size)
	for i := range text {
		text[i] = letters[s.rng.IntN(len(letters))]
	}
	return string(text)
}

func (s *session) maybe(value any) any {
	if s.rng.IntN(3) == 0 {
		return nil
	}
	return value
}

// time is another one each time, of this session and of all: an updated_at that is
// written moves. It has no microseconds, all six digits, or trailing zeros.
func (s *session) time() string {
	s.writes++
	micros := []int{0, 1, 120_000, 123_456, 999_999}[s.rng.IntN(5)]
	return time.Date(2027+s.number, 1, 1, 0, 0, s.writes, micros*1000, time.UTC).Format("2006-01-02 15:04:05.999999-07")
}

func (s *session) float() any {
	return s.maybe([]string{"0", "-0", "77.7", "0.1", "1e300", "1e-7", "-12345678.9", "5e-324"}[s.rng.IntN(8)])
}

func (s *session) user() any { return s.maybe(1 + s.rng.IntN(3)) }

func (s *session) uuid() string {
	return fmt.Sprintf("%016x%016x", s.rng.Uint64(), s.rng.Uint64())
}

// listOf is the words with the word added, or removed if it is among them.
func listOf(words, word string) string {
	all := strings.Fields(words)
	if at := slices.Index(all, word); at >= 0 {
		all = slices.Delete(all, at, at+1)
	} else {
		all = append(all, word)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
