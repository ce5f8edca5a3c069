package cdc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// publication is what the catalog says of one.
type publication struct {
	exists, allTables bool
	operations        []string // that it lacks, of insert, update and delete
	tables            []string // as Table.String has them
	noGenerated       bool     // generated columns are not published, and could be
}

func inspectPublication(ctx context.Context, conn *pgconn.PgConn, name string) (p publication, err error) {
	found, err := rows(ctx, conn, `SELECT p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, to_jsonb(p)->>'pubgencols'
		FROM pg_catalog.pg_publication p WHERE p.pubname = `+quoteText(name))
	if err != nil || len(found) == 0 {
		return p, err
	}
	p.exists, p.allTables = true, found[0][0] == "t"
	p.noGenerated = found[0][4] == "n" // "" before version 18, which has no such choice
	for i, operation := range [...]string{"insert", "update", "delete"} {
		if found[0][1+i] != "t" {
			p.operations = append(p.operations, operation)
		}
	}
	found, err = rows(ctx, conn, `SELECT schemaname || '.' || tablename
		FROM pg_catalog.pg_publication_tables WHERE pubname = `+quoteText(name))
	for _, r := range found {
		p.tables = append(p.tables, r[0])
	}
	return p, err
}

// missing is those of the tables that the publication does not have.
func (p *publication) missing(tables []Table) []Table {
	var missing []Table
	for _, t := range tables {
		if !slices.Contains(p.tables, t.String()) {
			missing = append(missing, t)
		}
	}
	return missing
}

// checkPublication returns a Fault unless the publication has all that the
// stream is to bring. The server would start without it and send nothing.
func checkPublication(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) error {
	p, err := inspectPublication(ctx, conn, name)
	if err != nil {
		return fmt.Errorf("inspect publication %q: %w", name, err)
	}
	if !p.exists {
		return &Fault{Reason: PublicationMissing, What: fmt.Sprintf("publication %q does not exist", name), Mend: "run `hooktail setup`"}
	}
	var lacks []string
	for _, t := range p.missing(tables) {
		lacks = append(lacks, "table "+t.String())
	}
	var operations []string
	for _, operation := range p.operations {
		operations = append(operations, "operation "+operation)
	}
	incomplete := func(reason Reason, lacks ...string) error {
		return &Fault{Reason: reason, What: fmt.Sprintf("publication %q lacks %s", name, strings.Join(lacks, ", ")), Mend: "run `hooktail setup`"}
	}
	switch {
	case len(lacks) > 0:
		return incomplete(PublicationIncomplete, append(lacks, operations...)...)
	case len(operations) > 0:
		return incomplete(OperationsMissing, operations...)
	case p.noGenerated:
		return incomplete(GeneratedColumns, "generated columns")
	}
	return nil
}

// Published is which tables a publication has, by the identities that the catalog
// gives to the publication (under the empty name) and to each table's place in it: what is
// taken out and put back has another one.
type Published map[string]string

// Lost says what has gone, in words, or has been away; "" if nothing has.
func (p Published) Lost(now Published) (why string) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		id, there := now[name]
		switch {
		case id == p[name]:
			continue
		case name == "" && !there:
			why = "the publication was dropped"
		case name == "":
			why = "the publication was dropped and made anew"
		case !there:
			why = fmt.Sprintf("table %s was taken out of the publication", name)
		default:
			why = fmt.Sprintf("table %s was taken out of the publication and put back", name)
		}
		return why
	}
	return ""
}

// published reads which of the tables the publication has.
func published(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) (Published, error) {
	found, err := rows(ctx, conn, `SELECT '', p.oid::text FROM pg_catalog.pg_publication p WHERE p.pubname = `+quoteText(name)+`
		UNION ALL
		SELECT n.nspname || '.' || c.relname, r.oid || '/' || r.prrelid FROM pg_catalog.pg_publication p
		JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = `+quoteText(name))
	if err != nil {
		return nil, fmt.Errorf("read publication %q: %w", name, err)
	}
	all := make(Published, len(found))
	for _, r := range found {
		if r[0] == "" || slices.ContainsFunc(tables, func(t Table) bool { return t.String() == r[0] }) {
			all[r[0]] = r[1]
		}
	}
	return all, nil
}
