package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

func lookAtPublication(ctx context.Context, x *examination) ([]Finding, error) {
	found, err := x.gone(ctx, cdc.CheckPublication(ctx, x.conn.PgConn(), x.Config.Publication, x.Plan.Tables), "hooktail only receives published changes, and does not run without them.")
	if err != nil {
		return nil, err
	}
	var all bool
	if err := x.value(ctx, "SELECT coalesce(bool_or(puballtables), false) FROM pg_catalog.pg_publication WHERE pubname = $1",
		[]any{x.Config.Publication}, &all); err != nil {
		return nil, err
	}
	if all {
		found = append(found, one(Note, fmt.Sprintf("publication %q contains all tables of the database", x.Config.Publication),
			"The changes of all other tables are decoded and sent too, without any use.",
			fmt.Sprintf("DROP PUBLICATION %s; -- while Label Studio and hooktail are stopped, and then: hooktail repair, which makes one of hooktail's tables alone and a new slot", pgx.Identifier{x.Config.Publication}.Sanitize()))...)
	}
	return found, nil
}

// lookAtContents finds tables whose rows arrive under other names.
func lookAtContents(ctx context.Context, x *examination) (found []Finding, _ error) {
	var name, child string
	err := x.each(ctx, `SELECT c.relname::text, (SELECT min(i.inhrelid::regclass::text) FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) ORDER BY 1`,
		[]any{x.Config.SourceSchema, x.names()}, []any{&name, &child}, func() {
			found = append(found, one(Warning, fmt.Sprintf("table %s.%s has tables that inherit from it, such as %s", x.Config.SourceSchema, name, child),
				"Their rows are visible in the table, but their changes arrive under their own names and make no events.",
				fmt.Sprintf("ALTER TABLE %s NO INHERIT %s; -- or partition the table instead", child, x.table(name)))...)
		})
	return found, err
}

// lookAtAge compares the transactions that made publication and tables' entries with the
// oldest one whose catalog the slot still needs. The slot sees what is older. It may not
// see what is younger: the server does not show more, and a transaction that was open
// while both were created makes them look younger too. A slot that is being read has
// proved that it sees the publication.
func lookAtAge(ctx context.Context, x *examination) ([]Finding, error) {
	var there bool
	if err := x.value(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $2)
		AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)`, []any{x.Config.Slot, x.Config.Publication}, &there); err != nil {
		return nil, err
	}
	if !there {
		return fine("there is no slot, or no publication, yet"), nil
	}
	younger, err := x.column(ctx, `WITH slot AS (SELECT catalog_xmin FROM pg_catalog.pg_replication_slots
			WHERE slot_name = $1 AND NOT active AND catalog_xmin IS NOT NULL)
		SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication p, slot WHERE p.pubname = $2 AND age(p.xmin) <= age(slot.catalog_xmin)
		UNION ALL
		SELECT 'its table ' || pr.prrelid::regclass FROM pg_catalog.pg_publication_rel pr JOIN pg_catalog.pg_publication p ON p.oid = pr.prpubid, slot
		WHERE p.pubname = $2 AND age(pr.xmin) <= age(slot.catalog_xmin)`, x.Config.Slot, x.Config.Publication)
	if err != nil || len(younger) == 0 {
		return nil, err
	}
	return one(Note, "possibly created or altered after the slot: "+some(younger),
		"A slot does not send changes of a table from before it was published, and hooktail stops at changes from before the publication was created.",
		fmt.Sprintf("if `hooktail run` says that the publication did not exist yet: SELECT pg_drop_replication_slot(%s); then hooktail setup, or hooktail repair --resend if it has run before", literal(x.Config.Slot))), nil
}
