package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// CheckIdentity returns a *Fault if REPLICA IDENTITY FULL, where the plan wants it, would
// make the server refuse the application's UPDATEs and DELETEs: since PostgreSQL 18, every
// generated column of such a table must be in all publications of the table, and virtual
// ones cannot be. version is the server's.
func CheckIdentity(ctx context.Context, conn *pgconn.PgConn, plan Plan, version int) error {
	if version < generatedServer {
		return nil
	}
	for _, t := range plan.Tables {
		if !t.IdentityFull {
			continue
		}
		found, err := rows(ctx, conn, fmt.Sprintf(`WITH t AS (
				SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
				WHERE n.nspname = %[1]s AND c.relname = %[2]s),
			generated AS (
				SELECT attname, attgenerated FROM pg_catalog.pg_attribute JOIN t ON attrelid = t.oid
				WHERE attgenerated <> '' AND NOT attisdropped)
			SELECT 'its generated column ' || quote_ident(attname) || ' is virtual' FROM generated WHERE attgenerated = 'v'
			UNION ALL
			SELECT 'publication ' || quote_ident(p.pubname) || ' has the table without its generated columns'
			FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_tables pt USING (pubname)
			WHERE pt.schemaname = %[1]s AND pt.tablename = %[2]s AND p.pubname <> %[3]s AND p.pubgencols = 'n'
			AND (p.pubupdate OR p.pubdelete) AND EXISTS (SELECT FROM generated WHERE attgenerated = 's')`,
			quoteText(t.Schema), quoteText(t.Name), quoteText(plan.Publication)))
		if err != nil {
			return fmt.Errorf("look for generated columns of table %s: %w", t, err)
		}
		if len(found) > 0 {
			return &Fault{
				Reason: IdentityUnsafe, What: fmt.Sprintf("REPLICA IDENTITY FULL would stop all updates of table %s: %s", t, found[0][0]),
				Mend: "set publish_generated_columns = stored on that publication, or run `hooktail setup --identity default`",
			}
		}
	}
	return nil
}
