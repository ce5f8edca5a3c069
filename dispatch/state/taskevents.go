package state

import "context"

// taskEvents is a table that is there if the identity of the tasks was set for
// TASK_COMPLETED and TASK_REOPENED: then teardown takes it back.
const taskEvents = "task_events"

// TaskEventsStatement makes the table, and has a semicolon.
func TaskEventsStatement(schema string) string {
	return "CREATE TABLE IF NOT EXISTS " + quote(schema, taskEvents) + " (set_at timestamptz NOT NULL DEFAULT now());"
}

// NoteTaskEvents notes that the identity of the tasks is hooktail's to take back.
func NoteTaskEvents(ctx context.Context, q Querier, schema string) error {
	_, err := q.Exec(ctx, TaskEventsStatement(schema))
	return wrap(err, "note the identity of the tasks")
}

// HasTaskEvents reports whether NoteTaskEvents has noted it.
func HasTaskEvents(ctx context.Context, q Querier, schema string) (noted bool, err error) {
	err = q.QueryRow(ctx, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", quote(schema, taskEvents)).Scan(&noted)
	return noted, wrap(err, "look whether the identity of the tasks was set")
}

// OldRows is what the old rows of a table cost in the WAL.
type OldRows struct {
	Sampled int64   // rows, the newest ones
	Average int64   // bytes of them
	Writes  int64   // updates and deletions since the statistics began
	Days    float64 // since when that is; 0: not known
}

// ReadOldRows estimates it from the newest rows of the table, and from its statistics.
func ReadOldRows(ctx context.Context, q Querier, table Table) (o OldRows, err error) {
	err = q.QueryRow(ctx, `SELECT s.sampled, s.average, coalesce(t.n_tup_upd + t.n_tup_del, 0), coalesce(extract(epoch FROM now() - d.stats_reset) / 86400, 0)::float8
		FROM (SELECT count(*) AS sampled, coalesce(avg(pg_column_size(r)), 0)::bigint AS average FROM (SELECT * FROM `+table.sql()+` ORDER BY id DESC LIMIT 1000) r) s
		LEFT JOIN pg_catalog.pg_stat_all_tables t ON t.schemaname = $1 AND t.relname = $2
		LEFT JOIN pg_catalog.pg_stat_database d ON d.datname = current_database()`, table.Schema, table.Name).
		Scan(&o.Sampled, &o.Average, &o.Writes, &o.Days)
	return o, wrap(err, "estimate the old rows of table "+table.Schema+"."+table.Name)
}
