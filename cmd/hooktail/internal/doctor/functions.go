package doctor

import (
	"context"
	"fmt"
	"strings"
)

// functions are those that hooktail's statements call and that an administrator may have
// taken from the role: hardened servers revoke what PUBLIC may call.
func functions() []string {
	return []string{
		"current_setting", "has_column_privilege", "has_database_privilege", "has_function_privilege", "has_schema_privilege", "has_table_privilege", "hashtext",
		"pg_advisory_lock_shared", "pg_advisory_unlock", "pg_backend_pid", "pg_blocking_pids", "pg_column_size", "pg_control_checkpoint", "pg_control_system",
		"pg_current_snapshot", "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_describe_object", "pg_has_role", "pg_is_in_recovery",
		"pg_last_wal_replay_lsn", "pg_logical_emit_message", "pg_logical_slot_peek_binary_changes", "pg_notify", "pg_partition_tree", "pg_snapshot_xmax",
		"pg_stat_get_wal_senders", "pg_try_advisory_lock", "pg_wal_lsn_diff", "pg_walfile_name", "set_config",
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
