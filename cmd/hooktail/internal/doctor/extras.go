package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// listing are the served hooks of whose actions is reports true for some, each with these.
func (x *examination) listing(actionsOf func(*hook.Hook) []mapping.Action, is func(mapping.Action) bool) (hooks []string) {
	for _, h := range x.served() {
		var actions []string
		for _, action := range actionsOf(h) {
			if is(action) {
				actions = append(actions, string(action))
			}
		}
		if len(actions) > 0 {
			hooks = append(hooks, fmt.Sprintf("hook %d lists %s", h.ID, some(actions)))
		}
	}
	return hooks
}

// added are the actions that the hook lists beyond the application's rows.
func added(h *hook.Hook) []mapping.Action {
	if h.Choice == nil {
		return nil
	}
	return h.Choice.Added
}

// listed are the actions that the hook names, in its rows of either table.
func listed(h *hook.Hook) []mapping.Action { return slices.Concat(h.Actions, added(h)) }

// lookAtEmit examines the function of custom events, its secret, and who may use them.
func lookAtEmit(ctx context.Context, x *examination) ([]Finding, error) {
	if version, err := state.Version(ctx, x.conn, x.Config.StateSchema); err != nil || version == 0 {
		return fine("not known: hooktail's own tables cannot be read"), nil //nolint:nilerr // said elsewhere
	}
	sources := state.EmitSources{
		Project: state.Table{Schema: x.Config.SourceSchema, Name: x.Config.ProjectTable},
		Task:    state.Table{Schema: x.Config.SourceSchema, Name: x.Config.TaskTable},
	}
	emit, err := state.LookAtEmit(ctx, x.conn, x.Config.StateSchema, sources)
	if err != nil {
		return nil, err
	}
	name := x.Config.StateSchema + ".emit"
	x.emits = emit.Function
	const again = "hooktail setup --custom-events # as the owner of the tables"
	if !emit.Exists() {
		if hooks := x.listing(added, mapping.Action.IsCustom); len(hooks) > 0 {
			return one(Warning, fmt.Sprintf("%s, and the function %s does not exist", some(hooks), name), "Custom events are sent with it: there are none.", again), nil
		}
		return fine("custom events are not set up"), nil
	}
	return slices.Concat(x.brokenEmit(emit, name, again), x.openEmit(emit, name)), nil
}

// brokenEmit returns what keeps custom events from being sent or read.
func (x *examination) brokenEmit(emit state.Emit, name, again string) (found []Finding) {
	secret := pgx.Identifier{x.Config.StateSchema, "emit_secret"}.Sanitize()
	switch {
	case !emit.Secret:
		found = append(found, one(Failure, fmt.Sprintf("the secret of the function %s does not exist", name), "Every call fails, and the transactions that call it.", again)...)
	case !emit.Readable:
		found = append(found, one(Failure, fmt.Sprintf("role %q may not read %s", x.role, secret), "hooktail cannot tell custom events from forged ones: it waits at the first, and all events behind it.",
			fmt.Sprintf("GRANT SELECT ON %s TO %s;", secret, x.roleName()))...)
	}
	switch {
	case !emit.Function:
		found = append(found, one(Warning, fmt.Sprintf("the function %s does not exist, and its secret does", name), "Custom events cannot be sent; calls fail, and the transactions that call it.", again)...)
	case !emit.Same:
		found = append(found, one(Warning, fmt.Sprintf("the function %s is not the one that this hooktail creates", name), "It is of another version, or somebody has changed it: hooktail may not recognise its events.", again)...)
	}
	if emit.Split {
		found = append(found, one(Warning, fmt.Sprintf("the function %s and its secret have different owners", name), "The function runs as its owner, and has to read the secret.", again)...)
	}
	return found
}

// openEmit returns who may call the function, or read its secret, and perhaps should not.
func (x *examination) openEmit(emit state.Emit, name string) (found []Finding) {
	schema := pgx.Identifier{x.Config.StateSchema}.Sanitize()
	if emit.Public {
		found = append(found, one(Warning, fmt.Sprintf("every role may call the function %s", name), "Whoever can log in can send events to the hooks.",
			fmt.Sprintf("REVOKE EXECUTE ON FUNCTION %s.emit(text, bigint, jsonb, bigint) FROM PUBLIC;", schema))...)
	}
	if len(emit.Readers) > 0 {
		found = append(found, one(Warning, fmt.Sprintf("%s may read the secret of the function %s", strings.Join(emit.Readers, ", "), name), "Whoever knows it can forge custom events.",
			fmt.Sprintf("REVOKE SELECT ON %s.emit_secret FROM %s;", schema, strings.Join(emit.Readers, ", ")))...)
	}
	return found
}

// lookAtTaskEvents finds hooks that wait for tasks to be completed, where the stream does
// not show it.
func lookAtTaskEvents(ctx context.Context, x *examination) ([]Finding, error) {
	hooks := x.listing(listed, func(a mapping.Action) bool { return a == mapping.TaskCompleted || a == mapping.TaskReopened })
	if len(hooks) == 0 {
		return fine("no hook lists %s or %s", mapping.TaskCompleted, mapping.TaskReopened), nil
	}
	task := cdc.Table{Schema: x.Config.SourceSchema, Name: x.Config.TaskTable}
	var full, labeled bool
	err := x.value(ctx, `SELECT c.relreplident = 'f', EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'is_labeled' AND NOT a.attisdropped)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname = $1 AND c.relname = $2`, []any{task.Schema, task.Name}, &full, &labeled)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fine("not known: table %s does not exist", task), nil // said elsewhere
	case err != nil:
		return nil, err
	case !labeled:
		return one(Warning, fmt.Sprintf("%s, and table %s has no column is_labeled", some(hooks), task), "These events are made of its changes: there are none.",
			"let HOOKTAIL_TASK_TABLE name Label Studio's table"), nil
	case !full:
		return one(Warning, fmt.Sprintf("%s, and table %s is not set to REPLICA IDENTITY FULL", some(hooks), task),
			"Changes do not show whether a task was completed before: there are no such events.", "hooktail setup --task-events # as the owner of the tables; it says what it costs"), nil
	}
	return nil, nil
}
