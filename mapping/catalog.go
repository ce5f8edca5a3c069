package mapping

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// predictions is the table that total_predictions_number is counted in.
const predictions = "prediction"

// catalog is what the database says of the columns of the tables that payloads
// are read from: whether they are there, and whether they refer to another row.
type catalog struct {
	columns map[string]map[string]column // by table and name
}

type column struct {
	foreign bool   // it refers to a row of another table
	base    uint32 // OID of its type; of a domain, the type that it restricts
}

// commentAuthors is the field of a task that is no column of it.
const commentAuthors = "comment_authors"

// authors is the table with the comment authors of tasks.
func (t Tables) authors() string { return t.Task + "_comment_authors" }

const catalogSQL = `
SELECT t.relname::text, a.attname::text, EXISTS (
         SELECT FROM pg_constraint c
         WHERE c.conrelid = t.oid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)),
       coalesce(nullif(y.typbasetype, 0), a.atttypid)
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type y ON y.oid = a.atttypid
WHERE n.nspname = $1 AND t.relname = ANY ($2::text[])`

func readCatalog(ctx context.Context, db Querier, names Tables) (*catalog, error) {
	tables := []string{names.Project, names.Task, names.Annotation, names.authors(), predictions}
	rows, err := db.Query(ctx, catalogSQL, pgx.QueryExecModeExec, names.Schema, tables)
	if err != nil {
		return nil, fmt.Errorf("read columns of schema %s: %w", names.Schema, err)
	}
	c := &catalog{columns: map[string]map[string]column{}}
	var table, name string
	var found column
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &found.foreign, &found.base}, func() error {
		if c.columns[table] == nil {
			c.columns[table] = map[string]column{}
		}
		c.columns[table][name] = found
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read columns of schema %s: %w", names.Schema, err)
	}
	return c, nil
}

// has reports whether the table has the column.
func (c *catalog) has(table, column string) bool {
	_, ok := c.columns[table][column]
	return ok
}

// covers reports whether the catalog is as new as the relation. The authors of
// comments are computed, not a column.
func (c *catalog) covers(table string, rel *cdc.Relation) bool {
	for _, column := range rel.Columns {
		if !c.has(table, column.Name) && column.Name != commentAuthors {
			return false
		}
	}
	return true
}

// references are the columns of the table with a foreign key.
func (c *catalog) references(table string) []string {
	var names []string
	for name, column := range c.columns[table] {
		if column.foreign {
			names = append(names, name)
		}
	}
	return names
}

// unwrap gives columns of a domain the encoding of the type that it restricts.
// Queries name that type in the first place; the stream names the domain.
func (c *catalog) unwrap(table string, f *format) {
	for i := range f.fields {
		if field := &f.fields[i]; field.as == asString {
			field.as = encodingOf(c.columns[table][field.column].base)
		}
	}
}

// CheckTables returns a *MissingColumnError if a table lacks a column that the rules
// need at present.
func (l *Locator) CheckTables(ctx context.Context) error {
	c, err := readCatalog(ctx, l.db, l.opts.Tables)
	if err != nil {
		return err
	}
	for of := project; of < tables; of++ {
		name := l.opts.Tables.name(of)
		columns := slices.Collect(maps.Keys(c.columns[name]))
		if err := CheckColumns(l.opts.Tables.Schema, name, columns, l.opts.Tables); err != nil {
			return err
		}
	}
	return nil
}
