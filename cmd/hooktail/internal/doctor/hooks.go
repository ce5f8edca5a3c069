package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// served returns the hooks that get events, in order of their ids; nil if they could not
// be read.
func (x *examination) served() []*hook.Hook {
	if x.loaded == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(x.loaded.All()), func(h *hook.Hook) bool { return !h.Served() })
}

// ids returns the ids of the served hooks that are chosen.
func (x *examination) ids(chosen func(*hook.Hook) bool) (ids []string) {
	for _, h := range x.served() {
		if chosen(h) {
			ids = append(ids, fmt.Sprint(h.ID))
		}
	}
	return ids
}

// lookAtHooks reads the hooks for later checks, and finds those that hooktail cannot
// serve. They are not failures: hooks belong to the application's users, and affect
// nothing else.
func lookAtHooks(ctx context.Context, x *examination) ([]Finding, error) {
	options := x.Hooks
	if version, err := state.Version(ctx, x.conn, x.Config.StateSchema); err != nil || version == 0 {
		options.StateSchema = "" // reported elsewhere
	}
	hooks := hook.NewSet(options)
	if err := hooks.Load(ctx, x.conn); err != nil {
		return nil, err
	}
	x.loaded = hooks
	var found, bad, refused, faulty, unserved []Finding
	for _, row := range hooks.Unreadable() {
		found = append(found, one(Warning, fmt.Sprintf("the row %q of %s cannot be read: %s", row.Key, row.Table, row.Fault),
			"It is ignored.", "correct the row, or delete it")...)
	}
	for _, h := range hooks.All() {
		switch {
		case h.Refused == hook.BadRow:
			bad = append(bad, one(Warning, fmt.Sprintf("hook %d cannot be served: %s", h.ID, h.Fault),
				"Its actions or its request cannot be determined.", "correct the row, or delete it")...)
		case h.Served() && h.IsRefused():
			refused = append(refused, one(Warning, fmt.Sprintf("hook %d cannot be served: %s", h.ID, h.Fault),
				"Its events are kept as dead, with the reason "+h.Refused.String()+".",
				fmt.Sprintf("correct it in Label Studio (Settings → Webhooks), then: hooktail deliveries redrive --hook %d", h.ID))...)
		}
		if h.Served() && h.Choice != nil && len(h.Choice.Faults) > 0 {
			faulty = append(faulty, one(Warning, fmt.Sprintf("hook %d has settings that cannot be used: %s", h.ID, strings.Join(h.Choice.Faults, "; ")),
				"It is served without them: it gets events that its filter would leave out, or more requests than its rate allows.",
				fmt.Sprintf("hooktail hooks set %d --filter none --rate none # or values that can be used", h.ID))...)
		}
		if h.Adopted && !h.Active && x.Config.Deliver == config.DeliverActive {
			unserved = append(unserved, one(Warning, fmt.Sprintf("hook %d is adopted, and HOOKTAIL_DELIVER=active", h.ID), "It gets no events: it is inactive in Label Studio, and hooktail does not serve it.",
				fmt.Sprintf("hooktail hooks release %d # or HOOKTAIL_DELIVER=both", h.ID))...)
		}
	}
	found = slices.Concat(found, bad, refused, faulty, unserved)
	if len(found) > 0 {
		return found, nil
	}
	if len(x.served()) == 0 {
		return one(Note, fmt.Sprintf("none of %d hooks is served", len(hooks.All())), "hooktail reads the stream but sends nothing.",
			"activate a hook in Label Studio, or adopt one: hooktail hooks list"), nil
	}
	return fine("%d of %d hooks are served", len(x.served()), len(hooks.All())), nil
}

// alike returns both spellings of an action.
func alike(action mapping.Action) []mapping.Action {
	for _, pair := range [][]mapping.Action{{mapping.TaskCreated, mapping.TasksCreated}, {"TASK_DELETED", mapping.TasksDeleted}} {
		if slices.Contains(pair, action) {
			return pair
		}
	}
	return []mapping.Action{action}
}

// contains reports whether the actions contain one, in either spelling.
func contains(actions []mapping.Action, action mapping.Action) bool {
	return slices.ContainsFunc(alike(action), func(same mapping.Action) bool { return slices.Contains(actions, same) })
}

// lookAtActions finds hooks with actions that are never sent.
func lookAtActions(_ context.Context, x *examination) (found []Finding, _ error) {
	made, native := mapping.Profile(x.Config.Profile).Actions(), mapping.Native.Actions()
	for _, h := range x.served() {
		if h.AllActions {
			continue
		}
		if len(h.Actions) == 0 {
			found = append(found, one(Note, fmt.Sprintf("hook %d has no actions", h.ID), "It gets no events.", "choose its actions in Label Studio, or deactivate it")...)
		}
		for _, action := range h.Actions {
			switch {
			case contains(made, action), action.IsCustom() && x.emits, action == mapping.TaskCompleted, action == mapping.TaskReopened: // see lookAtEmit and lookAtTaskEvents
			case contains(native, action):
				found = append(found, one(Note, fmt.Sprintf("hook %d wants %s, which the profile %s does not make", h.ID, action, x.Config.Profile), "It does not get this event.",
					"HOOKTAIL_PROFILE=native, or choose other actions for the hook")...)
			case slices.Contains(mapping.Reserved(), action):
				found = append(found, one(Note, fmt.Sprintf("hook %d wants %s, which only Label Studio makes", h.ID, action), "It does not get this event from hooktail.",
					fmt.Sprintf("if it needs the event, hooktail hooks release %d: Label Studio sends it everything then; or choose other actions for the hook", h.ID))...)
			default:
				found = append(found, one(Warning, fmt.Sprintf("hook %d wants %q, an unknown action", h.ID, string(action)), "It does not get this event from hooktail.",
					fmt.Sprintf("correct the hook in Label Studio; or: DELETE FROM %s WHERE webhook_id = %d AND action = %s;", x.table(x.Config.WebhookActionTable), h.ID, literal(string(action))))...)
			}
		}
	}
	return found, nil
}

// lookAtDuplicates finds pairs of hooks that send the same event to the same URL.
func lookAtDuplicates(_ context.Context, x *examination) (found []Finding, _ error) {
	hooks := slices.DeleteFunc(x.served(), (*hook.Hook).IsRefused)
	for i, a := range hooks {
		for _, b := range hooks[i+1:] {
			if !a.URL.Equal(b.URL) || !overlap(a, b) {
				continue
			}
			found = append(found, one(Warning, fmt.Sprintf("hooks %d and %d send the same events to the same URL", a.ID, b.ID), "The receiver gets each event twice.",
				fmt.Sprintf("deactivate one of them in Label Studio; or: UPDATE %s SET is_active = false WHERE id = %d;", x.table(x.Config.WebhookTable), b.ID))...)
		}
	}
	return found, nil
}

func overlap(a, b *hook.Hook) bool {
	if a.Organization != b.Organization || a.Project != b.Project && a.Project != 0 && b.Project != 0 {
		return false
	}
	if a.AllActions || b.AllActions {
		return (a.AllActions || len(a.Actions) > 0) && (b.AllActions || len(b.Actions) > 0)
	}
	return slices.ContainsFunc(a.Actions, func(action mapping.Action) bool { return contains(b.Actions, action) })
}

// lookAtSecrets decrypts the signing secrets: hooks with a secret never get unsigned
// requests.
func lookAtSecrets(ctx context.Context, x *examination) (found []Finding, _ error) {
	settings, err := state.New(state.Options{Pool: x.pool, Schema: x.Config.StateSchema}).Settings(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		for _, sealed := range s.Secrets {
			if _, err := x.Secrets.Open(s.Hook, sealed); err != nil {
				severity, why := Warning, "hooktail sends nothing unsigned to this hook: its events are kept as dead, with the reason bad_secret."
				if !x.Keyed {
					severity, why = Failure, "hooktail does not start while there are secrets but no key."
				}
				found = append(found, one(severity, err.Error(), why,
					fmt.Sprintf("set HOOKTAIL_SECRET_KEY to the key that encrypted it; or: hooktail hooks secret set %[1]d, or: hooktail hooks secret remove %[1]d", s.Hook))...)
				break
			}
		}
	}
	return found, nil
}

// lookAtSenderOfHooks finds hooks that Label Studio serves too.
func lookAtSenderOfHooks(ctx context.Context, x *examination) ([]Finding, error) {
	doubled := x.ids(func(h *hook.Hook) bool { return h.Active && !h.IsRefused() })
	if len(doubled) == 0 {
		return nil, nil
	}
	sessions, err := cdc.OtherSessions(ctx, x.conn, x.NotSenders...)
	if err != nil || sessions == 0 {
		return nil, err
	}
	return one(Warning, fmt.Sprintf("hooks are active in Label Studio too: %s; other programs are connected (%d sessions)", some(doubled), sessions),
		"If one of these programs is Label Studio, receivers get every event twice.", "hooktail hooks adopt --all # or the ids of the hooks to adopt"), nil
}

// lookAtCounter finds hooks that Label Studio may deactivate: since 2026-07 it counts its
// own failed requests in the hook's row.
func lookAtCounter(ctx context.Context, x *examination) ([]Finding, error) {
	var counts bool
	err := x.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attname LIKE '%fail%')`, x.table(x.Config.WebhookTable)).Scan(&counts)
	if err != nil || !counts {
		return nil, err
	}
	shared := x.ids(func(h *hook.Hook) bool { return h.Active && !h.Adopted })
	if len(shared) == 0 {
		return nil, nil
	}
	return one(Note, fmt.Sprintf("Label Studio may deactivate %s: it counts its failed requests in the rows of hooks", hooksOf(shared)),
		"After 50 failures of its own, Label Studio deactivates a hook, and hooktail holds the hook's events until it is active again.", "hooktail hooks adopt --all # or their ids: Label Studio sends nothing to adopted hooks"), nil
}
