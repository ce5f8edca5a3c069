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

// sources are the application's tables in the plan.
func (x *examination) sources() []cdc.Table {
	var tables []cdc.Table
	for _, t := range x.Plan.Tables {
		if t.Schema == x.Config.SourceSchema {
			tables = append(tables, t)
		}
	}
	return tables
}

// names are the tables that hooktail reads: the published ones, and two with counts and
// authors for payloads, if they exist.
func (x *examination) names() []string {
	names := []string{"prediction", x.Config.TaskTable + "_comment_authors"}
	for _, t := range x.sources() {
		names = append(names, t.Name)
	}
	return names
}

func lookAtTables(ctx context.Context, x *examination) ([]Finding, error) {
	return faults(cdc.CheckTables(ctx, x.conn, x.sources()), "Events are made from their rows.")
}

// lookAtPrivileges checks all columns: hooktail reads whole rows.
func lookAtPrivileges(ctx context.Context, x *examination) (found []Finding, _ error) {
	const why = "hooktail cannot read the rows for payloads."
	var schema *bool
	if err := x.value(ctx, "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = $1", []any{x.Config.SourceSchema}, &schema); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	if schema != nil && !*schema {
		found = append(found, one(Failure, fmt.Sprintf("role %q may not use schema %s", x.role, x.Config.SourceSchema), why,
			fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", pgx.Identifier{x.Config.SourceSchema}.Sanitize(), x.roleName()))...)
	}
	var name string
	var columns []string
	err := x.each(ctx, `SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = $1 AND c.relname = ANY ($2) AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
		GROUP BY c.relname ORDER BY c.relname`, []any{x.Config.SourceSchema, x.names()}, []any{&name, &columns}, func() {
		found = append(found, one(Failure, fmt.Sprintf("role %q may not read %s of table %s.%s", x.role, some(columns), x.Config.SourceSchema, name), why,
			fmt.Sprintf("GRANT SELECT ON %s TO %s;", x.table(name), x.roleName()))...)
	})
	return found, err
}

// some lists the first few names.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// hooksOf names hooks by their ids: hook 2; hooks 2, 3.
func hooksOf(ids []string) string {
	if len(ids) == 1 {
		return "hook " + ids[0]
	}
	return "hooks " + some(ids)
}

func lookAtRowSecurity(ctx context.Context, x *examination) (found []Finding, _ error) {
	var name string
	err := x.each(ctx, `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relrowsecurity AND pg_catalog.row_security_active(c.oid) ORDER BY 1`, []any{x.Config.SourceSchema, x.names()}, []any{&name}, func() {
		found = append(found, one(Failure, fmt.Sprintf("policies may hide rows of table %s.%s from role %q", x.Config.SourceSchema, name, x.role),
			"hooktail does not read tables with hidden rows, which would count as deleted. Their events wait.",
			fmt.Sprintf("ALTER ROLE %s BYPASSRLS;", x.roleName()))...)
	})
	return found, err
}

// lookAtColumns compares the columns of the tables with the rules.
func lookAtColumns(ctx context.Context, x *examination) (found []Finding, _ error) {
	for _, t := range x.sources() {
		columns, err := x.column(ctx, `SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, x.Config.SourceSchema, t.Name)
		if err != nil {
			return nil, err
		}
		if len(columns) == 0 {
			continue // no such table
		}
		for _, missing := range x.missing(t, columns) {
			found = append(found, one(Failure, fmt.Sprintf("table %s has no column %s", t, missing), "hooktail stops at the first change of the table.",
				"set the HOOKTAIL_…_TABLE variables to Label Studio's tables; if they are right, this hooktail is too old")...)
		}
	}
	return found, nil
}

// missing returns the required columns that are not among columns.
func (x *examination) missing(t cdc.Table, columns []string) []string {
	var required []string
	switch t.Name {
	case x.Config.WebhookTable:
		required = hook.RequiredColumns(hook.Webhook)
	case x.Config.WebhookActionTable:
		required = hook.RequiredColumns(hook.WebhookAction)
	default:
		tables := mapping.Tables{
			Schema: x.Config.SourceSchema, Project: x.Config.ProjectTable, Task: x.Config.TaskTable, Annotation: x.Config.AnnotationTable,
		}
		if missing, ok := errors.AsType[*mapping.MissingColumnError](mapping.CheckColumns(t.Schema, t.Name, columns, tables)); ok {
			return []string{missing.Column}
		}
	}
	var missing []string
	for _, name := range required {
		if !slices.Contains(columns, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// lookAtIdentity reports which columns updates and deletions contain.
func lookAtIdentity(ctx context.Context, x *examination) ([]Finding, error) {
	found, err := faults(cdc.CheckIdentity(ctx, x.conn.PgConn(), x.Plan, x.version), "PostgreSQL refuses UPDATE and DELETE of such a table: the application cannot save.")
	if err != nil {
		return nil, err
	}
	for _, t := range x.Plan.Tables {
		one, err := x.identity(ctx, t)
		if err != nil {
			return nil, err
		}
		found = append(found, one...)
	}
	return found, nil
}

func (x *examination) identity(ctx context.Context, t cdc.Table) ([]Finding, error) {
	var kind string
	var key, index, published bool
	var partition *string // one that is not set to FULL, which partitions do not inherit
	err := x.value(ctx, `SELECT c.relreplident::text, EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
			EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident),
			EXISTS (SELECT FROM pg_catalog.pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname),
			(SELECT min(p.relid::regclass::text) FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class l ON l.oid = p.relid
				WHERE p.isleaf AND l.relkind = 'r' AND l.relreplident <> 'f')
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname = $1 AND c.relname = $2`, []any{t.Schema, t.Name}, &kind, &key, &index, &published, &partition)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // reported elsewhere
	}
	if err != nil {
		return nil, err
	}
	full := cdc.IdentityStatement(t, "FULL")
	switch {
	case kind == "f" && partition != nil && t.IdentityFull:
		return one(Warning, fmt.Sprintf("partition %s of table %s is not set to REPLICA IDENTITY FULL", *partition, t),
			"A row that is deleted from it only contains its key, and makes no event. Partitions do not inherit the replica identity.", "hooktail setup"), nil
	case kind == "f":
		return nil, nil
	case kind == "n" || kind == "d" && !key || kind == "i" && !index:
		severity, refuses := Failure, "PostgreSQL refuses every UPDATE and DELETE of a published table without a replica identity: the application cannot save."
		if !published {
			severity, refuses = Warning, "After the table is published, PostgreSQL refuses every UPDATE and DELETE of it: the application cannot save."
		}
		return one(severity, fmt.Sprintf("table %s has no replica identity", t), refuses, full), nil
	case t.IdentityFull:
		return one(Note, fmt.Sprintf("table %s is not set to REPLICA IDENTITY FULL", t),
			"A deleted row only contains its key. hooktail sends the deletion if it has seen the row before; other deletions are counted in hooktail_unroutable_total and logged.", full), nil
	}
	return nil, nil
}

// functions are those that hooktail's statements call and that an administrator may have
// taken from the role: hardened servers revoke what PUBLIC may call.
func functions() []string {
	return []string{
		"current_setting", "has_column_privilege", "has_database_privilege", "has_function_privilege", "has_schema_privilege", "has_table_privilege", "hashtext",
		"pg_advisory_lock_shared", "pg_advisory_unlock", "pg_backend_pid", "pg_blocking_pids", "pg_column_size", "pg_control_checkpoint", "pg_control_system",
		"pg_current_snapshot", "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_describe_object", "pg_has_role", "pg_is_in_recovery",
		"pg_last_wal_replay_lsn", "pg_logical_emit_message", "pg_logical_slot_peek_binary_changes", "pg_notify", "pg_partition_tree", "pg_snapshot_xmax",
		"pg_stat_get_activity", "pg_stat_get_wal_senders", "pg_try_advisory_lock", "pg_wal_lsn_diff", "pg_walfile_name", "set_config",
	}
}

func lookAtFunctions(ctx context.Context, x *examination) ([]Finding, error) {
	lacking, err := x.column(ctx, `SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.proname = ANY ($1) AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
		ORDER BY 1`, functions())
	if err != nil || len(lacking) == 0 {
		return nil, err
	}
	mend := make([]string, len(lacking))
	for i, name := range lacking {
		mend[i] = fmt.Sprintf("GRANT EXECUTE ON FUNCTION pg_catalog.%s TO %s;", name, x.roleName())
	}
	return one(Failure, fmt.Sprintf("role %q may not call %s", x.role, some(lacking)), "Every role may by default. hooktail's statements fail without it.",
		strings.Join(mend, " ")+" -- as a superuser, in this database"), nil
}

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
