//go:build long

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session runs random transactions on a connection of its own. What it did is
// kept for the checks; nothing of it is shared with other sessions.
type session struct {
	number       int
	organization int64
	home         int64 // the project of the base data that it shares with others
	receiver     string
	native       bool

	conn *pgx.Conn
	rng  *rand.Rand

	committed model // as the other sessions see it
	now       model // within the transaction
	marks     []string
	writes    int // makes marks, times and titles its own
	anchor    int64
	tx        *journal

	told       []told
	rolledBack map[string]*journal // by mark
	hookLives  map[int64][]hookChange
	taskOf     map[int64]int64             // by annotation, deleted ones too
	states     map[int64][]json.RawMessage // by task, that were committed
}

// hookChange is what a hook is from a commit on. The commit's place in the WAL is
// that of the event that tells of the annotation with the mark, which the same
// transaction wrote.
type hookChange struct {
	mark string
	hook hookModel
}

// open takes the session's home, and makes in it the task of the anchors.
func (s *session) open(ctx context.Context) error {
	s.rolledBack, s.hookLives, s.taskOf = map[string]*journal{}, map[int64][]hookChange{}, map[int64]int64{}
	s.states = map[int64][]json.RawMessage{}
	s.committed = newModel()
	s.committed.projects[s.home] = projectModel{shared: true, stale: true}
	return s.transaction(ctx, func() error {
		var err error
		s.anchor, err = s.addTask(ctx, s.home)
		t := s.now.tasks[s.anchor]
		t.anchor = true
		s.now.tasks[s.anchor] = t
		return err
	})
}

// run makes transactions, most of them of a few steps.
func (s *session) run(ctx context.Context, transactions int) error {
	for range transactions {
		steps := 1 + s.rng.IntN(3)
		if s.rng.IntN(4) == 0 {
			steps = 12
		}
		if err := s.transaction(ctx, func() error { return s.steps(ctx, steps) }); err != nil {
			return err
		}
	}
	return nil
}

// transaction runs the statements between BEGIN and COMMIT, or one time in seven
// ROLLBACK, and notes what the hooks are told of it.
func (s *session) transaction(ctx context.Context, statements func() error) error {
	s.now, s.marks, s.tx = s.committed.clone(), nil, &journal{}
	s.log("session %d", s.number)
	if err := s.attempt(ctx, statements); err != nil {
		return fmt.Errorf("%s: %w", s.tx, err)
	}
	return nil
}

// deadlockDetected is a SQLSTATE: two sessions waited for each other.
const deadlockDetected = "40P01"

func (s *session) attempt(ctx context.Context, statements func() error) error {
	if err := s.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := statements()
	anchor := ""
	if err == nil {
		anchor, err = s.anchorHooks(ctx)
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == deadlockDetected { // the server's way to roll back
		s.forget(s.marks)
		return s.exec(ctx, "ROLLBACK")
	}
	if err != nil {
		return err
	}
	if len(s.told) > 0 && s.rng.IntN(7) == 0 {
		s.forget(s.marks)
		return s.exec(ctx, "ROLLBACK")
	}
	if err := s.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	for _, t := range facts(s.committed, s.now, s.native) {
		t.tx = s.tx
		s.told = append(s.told, t)
	}
	s.noteHooks(anchor)
	for id, project := range s.now.projects {
		if project.version != s.committed.projects[id].version && fed(s.committed, s.now, id) {
			project.stale = true
			s.now.projects[id] = project
		}
	}
	before := s.committed.rows()
	for id, task := range s.now.rows() {
		if !bytes.Equal(task.row, before[id].row) {
			s.states[id] = append(s.states[id], asTask(task.row))
		}
	}
	s.committed = s.now
	return nil
}

// anchorHooks writes an annotation if hooks were changed, and returns its mark:
// its event says where in the WAL that was.
func (s *session) anchorHooks(ctx context.Context) (string, error) {
	if maps.Equal(s.committed.hooks, s.now.hooks) {
		return "", nil
	}
	id, err := s.addAnnotation(ctx, s.anchor)
	return s.now.annotations[id].mark, err
}

func (s *session) noteHooks(anchor string) {
	for id, hook := range s.now.hooks {
		if earlier, existed := s.committed.hooks[id]; !existed || hook != earlier {
			s.hookLives[id] = append(s.hookLives[id], hookChange{anchor, hook})
		}
	}
	for id, hook := range s.committed.hooks {
		if _, exists := s.now.hooks[id]; !exists {
			s.hookLives[id] = append(s.hookLives[id], hookChange{anchor, hookModel{organization: hook.organization, gone: true}})
		}
	}
}

// steps makes random changes; some within a savepoint, half of which are rolled
// back.
func (s *session) steps(ctx context.Context, n int) error {
	for range n {
		if n == 1 || s.rng.IntN(8) > 0 {
			if err := s.step(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.savepoint(ctx, n/2); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) savepoint(ctx context.Context, steps int) error {
	before, marks := s.now.clone(), len(s.marks)
	if err := s.exec(ctx, "SAVEPOINT s"); err != nil {
		return err
	}
	if err := s.steps(ctx, steps); err != nil {
		return err
	}
	if s.rng.IntN(2) == 0 {
		return s.exec(ctx, "RELEASE SAVEPOINT s")
	}
	s.forget(s.marks[marks:])
	s.now, s.marks = before, s.marks[:marks]
	if err := s.exec(ctx, "ROLLBACK TO SAVEPOINT s"); err != nil {
		return err
	}
	return s.exec(ctx, "RELEASE SAVEPOINT s")
}

// forget notes marks that nobody may ever see.
func (s *session) forget(marks []string) {
	for _, mark := range marks {
		s.rolledBack[mark] = s.tx
	}
}

// mark is a text that no other write has.
func (s *session) mark() string {
	s.writes++
	mark := fmt.Sprintf("mark:%d:%d;", s.number, s.writes)
	s.marks = append(s.marks, mark)
	return mark
}

func (s *session) log(format string, args ...any) {
	s.tx.lines = append(s.tx.lines, fmt.Sprintf(format, args...))
}

func (s *session) exec(ctx context.Context, sql string, args ...any) error {
	s.log("%s %v", sql, args)
	if _, err := s.conn.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("run %q: %w", sql, err)
	}
	return nil
}

// columns are the values of a row by their names; nil is null, anything else is
// sent as text.
type columns map[string]any

// insert writes a row and returns its id and how it reads.
func (s *session) insert(ctx context.Context, table string, row columns) (int64, json.RawMessage, error) {
	names, args := row.parts()
	places := make([]string, len(names))
	for i := range names {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	sql := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) RETURNING id, to_jsonb(%[1]s)", table, strings.Join(names, ", "), strings.Join(places, ", "))
	written, err := s.query(ctx, sql, args)
	if err != nil {
		return 0, nil, fmt.Errorf("insert %s: %w", table, err)
	}
	for id, inserted := range written {
		s.log("insert %s %d %v", table, id, short(row))
		return id, inserted, nil
	}
	return 0, nil, fmt.Errorf("insert %s: no row", table)
}

// update writes the same values into rows and returns how they read.
func (s *session) update(ctx context.Context, table string, ids []int64, row columns) (map[int64]json.RawMessage, error) {
	names, args := row.parts()
	for i := range names {
		names[i] = fmt.Sprintf("%s = $%d", names[i], i+1)
	}
	s.log("update %s %d %v", table, ids, short(row))
	sql := fmt.Sprintf("UPDATE %s SET %s WHERE id = ANY ($%d::bigint[]) RETURNING id, to_jsonb(%[1]s)", table, strings.Join(names, ", "), len(names)+1)
	written, err := s.query(ctx, sql, append(args, ids))
	if err == nil && len(written) != len(ids) {
		err = fmt.Errorf("%d rows of %d", len(written), len(ids))
	}
	if err != nil {
		return nil, fmt.Errorf("update %s: %w", table, err)
	}
	return written, nil
}

func (s *session) query(ctx context.Context, sql string, args []any) (map[int64]json.RawMessage, error) {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	written := map[int64]json.RawMessage{}
	var id int64
	var text string
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		written[id] = json.RawMessage(text)
		return nil
	})
	return written, err
}

func (row columns) parts() (names []string, args []any) {
	names = slices.Sorted(maps.Keys(row))
	for _, name := range names {
		if row[name] == nil {
			args = append(args, nil)
		} else {
			args = append(args, fmt.Sprint(row[name]))
		}
	}
	return names, args
}

// short is the row for a journal.
func short(row columns) columns {
	row = maps.Clone(row)
	for name, value := range row {
		if text := fmt.Sprint(value); len(text) > 60 {
			row[name] = fmt.Sprintf("%.40s… (%d bytes)", text, len(text))
		}
	}
	return row
}
