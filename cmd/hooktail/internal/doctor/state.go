package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hooktail/hooktail/dispatch/state"
)

func lookAtState(ctx context.Context, x *examination) ([]Finding, error) {
	err := state.Check(ctx, x.conn, x.Config.StateSchema)
	fault, ok := errors.AsType[*state.SchemaError](err)
	if !ok {
		return nil, err
	}
	what, mend := fmt.Sprintf("schema %q has no tables of hooktail", fault.Schema), "hooktail setup # as the owner of the tables; then run deploy/role.sql again"
	switch fault.Fault {
	case state.SchemaOlder:
		what = fmt.Sprintf("the tables in schema %q have version %d, older than %d, which this hooktail needs", fault.Schema, fault.Have, fault.Want)
	case state.SchemaNewer:
		what, mend = fmt.Sprintf("the tables in schema %q have version %d, newer than this hooktail, which knows %d", fault.Schema, fault.Have, fault.Want), "run a newer hooktail"
	case state.SchemaDenied:
		what, mend = fmt.Sprintf("role %q may not use the tables in schema %q", x.role, fault.Schema), strings.Join(state.Grants(x.Config.StateSchema, x.role), " ")
	}
	return one(Failure, what, "hooktail stores parked deliveries there and does not run without it.", mend), nil
}

// lookAtCopy distinguishes tables created here from those restored from a dump.
func lookAtCopy(ctx context.Context, x *examination) ([]Finding, error) {
	err := state.CheckCopy(ctx, x.conn, x.Config.StateSchema)
	copied, ok := errors.AsType[*state.CopyError](err)
	if !ok {
		return nil, err
	}
	return one(Failure, fmt.Sprintf("the tables in schema %q are a copy: they belong to %s, and this is %s", copied.Schema, copied.Of, copied.Here),
		fmt.Sprintf("%d deliveries were parked in the original, which may send them too: hooktail does not run until you decide what to do with them. The hooks of a copy point to the original's receivers, too.", copied.Parked),
		"hooktail repair --forget-parked # or, if the original is gone, --keep-parked"), nil
}

func lookAtAdopt(ctx context.Context, x *examination) ([]Finding, error) {
	var may bool
	err := x.value(ctx, `SELECT coalesce(bool_and(pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE')), true)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'is_active'
		WHERE n.nspname = $1 AND c.relname = $2`, []any{x.Config.SourceSchema, x.Config.WebhookTable}, &may)
	if err != nil || may {
		return nil, err
	}
	return one(Note, fmt.Sprintf("role %q may not deactivate hooks", x.role),
		"`hooktail hooks adopt` deactivates a hook in Label Studio; without the privilege, run it as another role.",
		fmt.Sprintf("GRANT UPDATE (is_active) ON %s TO %s;", x.table(x.Config.WebhookTable), x.roleName())), nil
}
