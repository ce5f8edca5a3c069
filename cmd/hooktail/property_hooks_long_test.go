//go:build long

package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// era is what a hook was from a commit on.
type era struct {
	from uint64 // LSN of the commit record
	hook hookModel
}

// checkHooks: each hook, also those that came, changed and went, is told of what
// the one that listens to everything is told of, as far as it wanted it when it
// was committed. One that was deleted may lack what was still on its way. One that was
// switched off gets that when it is on again, and nothing that was committed meanwhile.
func (w *world) checkHooks(t *testing.T, inbox map[int64][]delivery) {
	t.Helper()
	for id, eras := range w.eras(t, inbox) {
		all := inbox[listener[eras[0].hook.organization]]
		got := map[string]delivery{}
		for _, d := range inbox[id] {
			got[d.id] = d
		}
		for _, d := range all {
			hook, ended := at(eras, d.at.commit)
			mine, arrived := got[d.id]
			delete(got, d.id)
			switch {
			case arrived && !hook.wants(d):
				w.fault(t, "hook %d, %+v, was told of %s %s", id, hook, d.action, d.id)
			case !arrived && hook.wants(d) && !ended:
				w.fault(t, "hook %d, %+v, was not told of %s %s", id, hook, d.action, d.id)
			case arrived && singular(mine.action) != singular(d.action):
				w.fault(t, "hook %d was told of %s as %s", id, d.id, mine.action)
			case arrived && !bytes.Equal(afterAction(mine.body), expectedBody(d, hook.payload)):
				w.fault(t, "hook %d got another body of event %s than others: %.300s", id, d.id, mine.body)
			}
		}
		for event, d := range got {
			w.fault(t, "hook %d was told of %s %s, and the hook for everything was not", id, d.action, event)
		}
	}
}

// at is what the hook was at the commit, and whether it has been deleted since.
func at(eras []era, commit uint64) (hook hookModel, ended bool) {
	for _, era := range eras {
		if era.from <= commit {
			hook = era.hook
		} else if era.hook.gone {
			ended = true
		}
	}
	return hook, ended
}

// afterAction is a body from behind the name of the action on.
func afterAction(body []byte) []byte {
	_, rest, _ := bytes.Cut(body, []byte(`": "`))
	_, rest, _ = bytes.Cut(rest, []byte(`"`))
	return rest
}

func expectedBody(d delivery, payload bool) []byte {
	if !payload {
		return []byte("}")
	}
	return afterAction(d.body)
}

// eras are the lives of all hooks.
func (w *world) eras(t *testing.T, inbox map[int64][]delivery) map[int64][]era {
	t.Helper()
	commits := map[string]uint64{} // by the mark of the anchor
	for _, hook := range listener {
		for _, d := range inbox[hook] {
			for _, a := range d.annotations {
				commits[a.mark] = d.at.commit
			}
		}
	}
	all := map[int64][]era{}
	for id, hook := range w.hooks {
		all[id] = []era{{0, hook}}
	}
	for _, s := range w.sessions {
		for id, changes := range s.hookLives {
			for _, change := range changes {
				commit, found := commits[change.mark]
				if !found {
					w.fault(t, "the transaction that changed hook %d was not told: %s", id, w.journalOf(change.mark))
				}
				all[id] = append(all[id], era{commit, change.hook})
			}
		}
	}
	return all
}

// baseHooks are the hooks of the base data.
func baseHooks(t *testing.T, db *cdctest.Database) map[int64]hookModel {
	t.Helper()
	all := map[int64]hookModel{}
	rows, err := db.Connect(t).Query(context.Background(), `SELECT id, is_active, send_payload, send_for_all_actions, organization_id, coalesce(project_id, 0),
		(SELECT coalesce(string_agg(action, ' ' ORDER BY action), '') FROM webhook_action WHERE webhook_id = webhook.id) FROM webhook`)
	if err != nil {
		t.Fatalf("read hooks: %v", err)
	}
	var id int64
	var h hookModel
	_, err = pgx.ForEachRow(rows, []any{&id, &h.active, &h.payload, &h.all, &h.organization, &h.project, &h.actions}, func() error {
		all[id] = h
		return nil
	})
	if err != nil {
		t.Fatalf("read hooks: %v", err)
	}
	return all
}
