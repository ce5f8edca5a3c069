package mapping

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// predictions is the table that total_predictions_number is counted in.
const predictions = "prediction"

// catalog is what the database says of the columns of the tables that payloads
// are read from: whether they are there, and whether they refer to another row.
type catalog struct {
	columns map[string]map[string]bool // by table and name; true: foreign key
}

// commentAuthors is the field of a task that is no column of it.
const commentAuthors = "comment_authors"

// authors is the table with the comment authors of tasks.
func (t Tables) authors() string { return t.Task + "_comment_authors" }

const catalogSQL = `
SELECT t.relname::text, a.attname::text, EXISTS (
         SELECT FROM pg_constraint c
         WHERE c.conrelid = t.oid AND c.contype = 'f' AND a.attnum = ANY (c.conkey))
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND t.relname = ANY ($2::text[])`

func readCatalog(ctx context.Context, db Querier, names Tables) (*catalog, error) {
	tables := []string{names.Project, names.Task, names.Annotation, names.authors(), predictions}
	rows, err := db.Query(ctx, catalogSQL, pgx.QueryExecModeExec, names.Schema, tables)
	if err != nil {
		return nil, fmt.Errorf("read columns of schema %s: %w", names.Schema, err)
	}
	c := &catalog{columns: map[string]map[string]bool{}}
	var table, column string
	var foreign bool
	_, err = pgx.ForEachRow(rows, []any{&table, &column, &foreign}, func() error {
		if c.columns[table] == nil {
			c.columns[table] = map[string]bool{}
		}
		c.columns[table][column] = foreign
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
	for column, foreign := range c.columns[table] {
		if foreign {
			names = append(names, column)
		}
	}
	return names
}
