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
	exists      bool
	owned       bool     // by the role, directly or through membership
	operations  []string // missing ones: "operation insert", update, delete or truncate
	content     Published
	tables      []string // in the form of Table.String; also those published as their partitions
	withheld    []Lack   // how it withholds changes, or publishes them under other names
	narrowed    bool     // some of that is about tables
	noGenerated bool     // generated columns could be published and are not
}

// inspectPublication reads a publication. In its content a renamed table remains the same
// table, unless another one has its old name, published or not.
func inspectPublication(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table, known Published) (*publication, error) {
	p := &publication{content: Published{}}
	found, err := rows(ctx, conn, `SELECT p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, pg_catalog.pg_has_role(p.pubowner, 'USAGE'),
		to_jsonb(p)->>'pubgencols', p.oid,
		concat_ws(' ', p.xmin, p.pubowner, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot, to_jsonb(p)->>'pubgencols')
		FROM pg_catalog.pg_publication p WHERE p.pubname = `+quoteText(name))
	if err == nil && len(found) > 0 {
		p.exists, p.owned = true, found[0][4] == "t"
		p.content[""], p.content[optionsKey] = found[0][6], found[0][7]
		p.noGenerated = found[0][5] == "n" // "" before version 18, which introduced the option
		for i, operation := range [...]string{"insert", "update", "delete", "truncate"} {
			if found[0][i] != "t" {
				p.operations = append(p.operations, "operation "+operation)
			}
		}
		err = p.readTables(ctx, conn, name, tables, known)
	}
	if err != nil {
		return nil, fmt.Errorf("inspect publication %q: %w", name, err)
	}
	if len(p.operations) > 0 {
		p.withheld = append(p.withheld, Lack{"lacks " + strings.Join(p.operations, ", "), alterPublication(name, "SET (publish = 'insert, update, delete, truncate')")})
	}
	return p, nil
}

// readTables finds out which of the tables are published, and how.
func (p *publication) readTables(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table, known Published) error {
	found, err := rows(ctx, conn, `SELECT schemaname || '.' || tablename FROM pg_catalog.pg_publication_tables WHERE pubname = `+quoteText(name))
	if err != nil {
		return err
	}
	for _, r := range found {
		p.tables = append(p.tables, r[0])
	}
	found, err = rows(ctx, conn, memberQuery(conn, name, tables, known)+`
		SELECT m.name, bool_and(m.filtered), bool_and(m.columns), bool_and(m.relkind = 'p' AND NOT m.pubviaroot),
			(SELECT to_jsonb(pt)->>'rowfilter' FROM pg_catalog.pg_publication_tables pt
				WHERE pt.pubname = `+quoteText(name)+` AND pt.schemaname || '.' || pt.tablename = m.name),
			string_agg(m.place || '/' || m.oid || CASE WHEN m.filtered OR m.columns THEN '!' ELSE '' END, ' ' ORDER BY m.place)
		FROM member m GROUP BY m.name`)
	if err != nil {
		return err
	}
	for _, r := range found {
		p.content[r[0]] = r[5]
	}
	for _, t := range tables {
		i := slices.IndexFunc(found, func(r []string) bool { return r[0] == t.String() })
		if i < 0 {
			continue
		}
		switch r := found[i]; {
		case r[1] == "t":
			p.withheld = append(p.withheld, Lack{fmt.Sprintf("has a row filter on table %s, %s", t, r[4]), publishWhole(name, t)})
		case r[2] == "t":
			p.withheld = append(p.withheld, Lack{fmt.Sprintf("has a column list for table %s", t), publishWhole(name, t)})
		}
		if found[i][3] == "t" {
			p.tables = append(p.tables, t.String())
			p.withheld = append(p.withheld, Lack{
				fmt.Sprintf("has table %s as its partitions, under their names", t), alterPublication(name, "SET (publish_via_partition_root = true)"),
			})
		}
	}
	p.narrowed = len(p.withheld) > 0
	return nil
}

// missing returns the tables that are not in the publication.
func (p *publication) missing(tables []Table) (missing []Table) {
	for _, t := range tables {
		if !slices.Contains(p.tables, t.String()) {
			missing = append(missing, t)
		}
	}
	return missing
}

// CheckPublication returns a *Fault unless the publication exists and publishes everything
// that a stream of these tables needs. The server would start without it and send nothing.
func CheckPublication(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) error {
	p, err := inspectPublication(ctx, conn, name, tables, nil)
	if err != nil {
		return err
	}
	return p.check(name, tables)
}

func (p *publication) check(name string, tables []Table) error {
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
	if fault := p.refused(name); fault != nil {
		return fault
	}
	if p.noGenerated {
		return &Fault{Reason: GeneratedColumns, What: fmt.Sprintf("publication %q lacks generated columns", name), Mend: "run `hooktail setup`"}
	}
	return nil
}

// refused returns the Fault of a publication configured to withhold changes, with the SQL
// that fixes it; nil if there is none.
func (p *publication) refused(name string) *Fault {
	if len(p.withheld) == 0 {
		return nil
	}
	reason := OperationsMissing
	if p.narrowed {
		reason = PublicationNarrowed
	}
	what, mend := texts(p.withheld)
	return &Fault{
		Reason: reason, What: fmt.Sprintf("publication %q %s: not all changes would arrive", name, strings.Join(what, "; ")),
		Mend: strings.Join(mend, " "),
	}
}
