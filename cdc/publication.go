package cdc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// publication is a publication as recorded in the catalog.
type publication struct {
	name              string
	exists, allTables bool
	owned             bool     // by the role, directly or through membership
	operations        []string // missing ones: "operation insert", update, delete or truncate
	tables            []string // in the form of Table.String
	narrowed          []narrowed
	noGenerated       bool // generated columns could be published and are not
}

// narrowed is a table whose changes a publication withholds in part, or publishes under
// other names.
type narrowed struct {
	table      Table
	filtered   bool   // it has a row filter
	filter     string // SQL, if the server shows it
	columns    bool   // it has a column list
	partitions bool   // it is published as its partitions, under their names
}

func inspectPublication(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) (*publication, error) {
	p := &publication{name: name}
	found, err := rows(ctx, conn, `SELECT p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, pg_catalog.pg_has_role(p.pubowner, 'USAGE'),
		to_jsonb(p)->>'pubgencols' FROM pg_catalog.pg_publication p WHERE p.pubname = `+quoteText(name))
	if err == nil && len(found) > 0 {
		p.exists, p.allTables, p.owned = true, found[0][0] == "t", found[0][5] == "t"
		p.noGenerated = found[0][6] == "n" // "" before version 18, which introduced the option
		for i, operation := range [...]string{"insert", "update", "delete", "truncate"} {
			if found[0][1+i] != "t" {
				p.operations = append(p.operations, "operation "+operation)
			}
		}
		err = p.readTables(ctx, conn, tables)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect publication %q: %w", name, err)
	}
	return p, nil
}

// readTables finds out which of the tables are published, and how.
func (p *publication) readTables(ctx context.Context, conn *pgconn.PgConn, tables []Table) error {
	found, err := rows(ctx, conn, `SELECT schemaname || '.' || tablename FROM pg_catalog.pg_publication_tables WHERE pubname = `+quoteText(p.name))
	if err != nil {
		return err
	}
	for _, r := range found {
		p.tables = append(p.tables, r[0])
	}
	found, err = rows(ctx, conn, memberQuery(conn, p.name, tables, nil)+`
		SELECT m.name, bool_and(m.filtered), bool_and(m.columns), bool_and(m.relkind = 'p' AND NOT m.pubviaroot),
			(SELECT to_jsonb(pt)->>'rowfilter' FROM pg_catalog.pg_publication_tables pt
				WHERE pt.pubname = `+quoteText(p.name)+` AND pt.schemaname || '.' || pt.tablename = m.name)
		FROM member m GROUP BY m.name`)
	if err != nil {
		return err
	}
	for _, t := range tables {
		for _, r := range found {
			n := narrowed{table: t, filtered: r[1] == "t", columns: r[2] == "t", partitions: r[3] == "t", filter: r[4]}
			if r[0] == t.String() && (n.filtered || n.columns || n.partitions) {
				p.narrowed = append(p.narrowed, n)
			}
		}
	}
	return nil
}

// missing returns the tables that are not in the publication. A table published as its
// partitions is narrowed instead.
func (p *publication) missing(tables []Table) []Table {
	var missing []Table
	for _, t := range tables {
		partitioned := slices.ContainsFunc(p.narrowed, func(n narrowed) bool { return n.table.String() == t.String() && n.partitions })
		if !partitioned && !slices.Contains(p.tables, t.String()) {
			missing = append(missing, t)
		}
	}
	return missing
}

// CheckPublication returns a *Fault unless the publication exists and publishes everything
// that a stream of these tables needs. The server would start without it and send nothing.
func CheckPublication(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) error {
	p, err := inspectPublication(ctx, conn, name, tables)
	if err != nil {
		return err
	}
	if !p.exists {
		return &Fault{Reason: PublicationMissing, What: fmt.Sprintf("publication %q does not exist", name), Mend: "run `hooktail setup`"}
	}
	if missing := p.missing(tables); len(missing) > 0 {
		lacks := make([]string, len(missing))
		for i, t := range missing {
			lacks[i] = "table " + t.String()
		}
		what := fmt.Sprintf("publication %q lacks %s", name, strings.Join(append(lacks, p.operations...), ", "))
		return &Fault{Reason: PublicationIncomplete, What: what, Mend: "run `hooktail setup`"}
	}
	if fault := p.refused(); fault != nil {
		return fault
	}
	if p.noGenerated {
		return &Fault{Reason: GeneratedColumns, What: fmt.Sprintf("publication %q lacks generated columns", name), Mend: "run `hooktail setup`"}
	}
	return nil
}

// refused returns the Fault of a publication configured to withhold changes, with the SQL
// that fixes it; nil if there is none.
func (p *publication) refused() *Fault {
	var what []string
	reason := OperationsMissing
	for _, n := range p.narrowed {
		reason = PublicationNarrowed
		switch {
		case n.filtered:
			what = append(what, fmt.Sprintf("has a row filter on table %s, %s", n.table, n.filter))
		case n.columns:
			what = append(what, fmt.Sprintf("has a column list for table %s", n.table))
		}
		if n.partitions {
			what = append(what, fmt.Sprintf("has table %s as its partitions, under their names", n.table))
		}
	}
	if len(p.operations) > 0 {
		what = append(what, "lacks "+strings.Join(p.operations, ", "))
	}
	if len(what) == 0 {
		return nil
	}
	return &Fault{
		Reason: reason, What: fmt.Sprintf("publication %q %s: not all changes would arrive", p.name, strings.Join(what, "; ")),
		Mend: strings.Join(p.widen(), " "),
	}
}

// widen returns the SQL that makes the publication send all changes of its tables.
func (p *publication) widen() []string {
	var statements []string
	viaRoot := false
	for _, n := range p.narrowed {
		viaRoot = viaRoot || n.partitions
		if n.filtered || n.columns {
			statements = append(statements, publishWhole(p.name, n.table))
		}
	}
	if viaRoot {
		statements = append(statements, alterPublication(p.name, "SET (publish_via_partition_root = true)"))
	}
	if len(p.operations) > 0 {
		statements = append(statements, alterPublication(p.name, "SET (publish = 'insert, update, delete, truncate')"))
	}
	return statements
}
