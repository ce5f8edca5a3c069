package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// publication is the name as SQL has it.
func (x *examination) publication() string { return pgx.Identifier{x.Config.Publication}.Sanitize() }

func lookAtPublication(ctx context.Context, x *examination) ([]Finding, error) {
	found, err := x.gone(ctx, cdc.CheckPublication(ctx, x.conn, x.Config.Publication, x.Plan.Tables), "What is not published does not reach hooktail, which does not run without.")
	if err != nil {
		return nil, err
	}
	var truncate, all bool
	if err := x.value(ctx, "SELECT coalesce(bool_and(pubtruncate), true), coalesce(bool_or(puballtables), false) FROM pg_catalog.pg_publication WHERE pubname = $1",
		[]any{x.Config.Publication}, &truncate, &all); err != nil {
		return nil, err
	}
	if !truncate {
		found = append(found, one(Note, fmt.Sprintf("publication %q has not the operation truncate", x.Config.Publication),
			"Hooks whose table was emptied by TRUNCATE are served on until the next start.",
			fmt.Sprintf("ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate');", x.publication()))...)
	}
	if all {
		found = append(found, one(Note, fmt.Sprintf("publication %q has all tables of the database", x.Config.Publication),
			"The changes of every other table are decoded and sent too, for nothing.",
			fmt.Sprintf("nothing has to be done; where it costs too much, stop hooktail when it has caught up: DROP PUBLICATION %s; then hooktail repair, and start it again", x.publication()))...)
	}
	return found, nil
}

// lookAtContents finds what keeps columns and rows from being published, and tables
// that are published as their partitions.
func lookAtContents(ctx context.Context, x *examination) ([]Finding, error) {
	found, err := x.partitioned(ctx)
	if err != nil || x.version < version15 {
		return found, err
	}
	for _, t := range x.sources() {
		rows, err := x.conn.Query(ctx, `SELECT attnames::text[], rowfilter FROM pg_catalog.pg_publication_tables
			WHERE pubname = $1 AND schemaname = $2 AND tablename = $3`, x.Config.Publication, t.Schema, t.Name)
		if err != nil {
			return nil, err
		}
		var columns []string
		var filter *string
		_, err = pgx.ForEachRow(rows, []any{&columns, &filter}, func() error { return nil })
		if err != nil {
			return nil, err
		}
		if len(columns) == 0 {
			continue // not published: said elsewhere
		}
		more, err := x.contents(ctx, t, columns, filter)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (x *examination) contents(ctx context.Context, t cdc.Table, columns []string, filter *string) ([]Finding, error) {
	var found []Finding
	again := fmt.Sprintf("ALTER PUBLICATION %[1]s DROP TABLE %[2]s; ALTER PUBLICATION %[1]s ADD TABLE %[2]s; -- in one transaction, while hooktail has caught up",
		x.publication(), x.table(t.Name))
	if filter != nil {
		found = append(found, one(Warning, fmt.Sprintf("publication %q has a row filter on table %s: %s", x.Config.Publication, t, *filter),
			"Rows that it leaves out make no events, and hooks that it leaves out get none.", again)...)
	}
	if missing := x.missing(t, columns); len(missing) > 0 {
		found = append(found, one(Failure, fmt.Sprintf("publication %q leaves out column %s of table %s", x.Config.Publication, strings.Join(missing, ", "), t),
			"hooktail stops at the first change of the table.", again)...)
		return found, nil
	}
	rows, err := x.conn.Query(ctx, `SELECT attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
		AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''`, t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	ordinary, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(ordinary, func(name string) bool { return slices.Contains(columns, name) })
	if len(left) > 0 {
		found = append(found, one(Warning, fmt.Sprintf("publication %q leaves out %s of table %s", x.Config.Publication, some(left), t),
			"Payloads that are built of the change lack these fields, and a change of them alone is not noticed.", again)...)
	}
	return found, nil
}

// partitioned finds tables whose changes would come under their partitions' names.
func (x *examination) partitioned(ctx context.Context) ([]Finding, error) {
	rows, err := x.conn.Query(ctx, `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind = 'p'
		AND EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $3 AND NOT pubviaroot) ORDER BY 1`, x.Config.SourceSchema, x.names(), x.Config.Publication)
	if err != nil {
		return nil, err
	}
	var found []Finding
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name}, func() error {
		found = append(found, one(Failure, fmt.Sprintf("table %s.%s is partitioned, and published as its partitions", x.Config.SourceSchema, name),
			"hooktail knows the table's name, not those of its partitions: their changes make no events.",
			fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = true);", x.publication()))...)
		return nil
	})
	return found, err
}

// lookAtAge compares the transactions that made publication and tables' entries with
// the oldest one whose catalog the slot still needs. What is older is seen by the slot.
// What is younger may not be: the server does not say more, and a transaction that
// was open while both were made makes them look so too. A slot that is being read
// has proved that it sees.
func lookAtAge(ctx context.Context, x *examination) ([]Finding, error) {
	var there bool
	if err := x.value(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $2)
		AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)`, []any{x.Config.Slot, x.Config.Publication}, &there); err != nil {
		return nil, err
	}
	if !there {
		return fine("there is no slot, or no publication, yet"), nil
	}
	rows, err := x.conn.Query(ctx, `WITH slot AS (SELECT catalog_xmin FROM pg_catalog.pg_replication_slots
			WHERE slot_name = $1 AND NOT active AND catalog_xmin IS NOT NULL)
		SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication p, slot WHERE p.pubname = $2 AND age(p.xmin) <= age(slot.catalog_xmin)
		UNION ALL
		SELECT 'its table ' || pr.prrelid::regclass FROM pg_catalog.pg_publication_rel pr JOIN pg_catalog.pg_publication p ON p.oid = pr.prpubid, slot
		WHERE p.pubname = $2 AND age(pr.xmin) <= age(slot.catalog_xmin)`, x.Config.Slot, x.Config.Publication)
	if err != nil {
		return nil, err
	}
	younger, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(younger) == 0 {
		return nil, err
	}
	return one(Note, "perhaps made or altered after the slot: "+some(younger),
		"A slot does not bring what was changed in a table before it was published, and a hooktail that meets changes from before the publication was made stops.",
		fmt.Sprintf("if `hooktail run` says that the publication did not exist yet: SELECT pg_drop_replication_slot(%s); then hooktail setup, or hooktail repair --resend if it has run before", literal(x.Config.Slot))), nil
}
