package mapping

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/cdc"
)

// predictions is the table in which total_predictions_number is counted.
const predictions = "prediction"

// catalog holds what the database knows about the columns of the tables from which
// payloads are read: whether they exist, and whether they refer to another row.
type catalog struct {
	columns  map[string]map[string]column // by table and name
	optional int                          // number of columns that queries use if they exist, and that exist
	recount  string                       // query of that number; empty if all of them exist: then every relevant change makes a query fail
}

type column struct {
	foreign bool   // refers to a row of another table
	kind    uint32 // OID of the type
	base    uint32 // the same; for a domain, its base type
}

// commentAuthors is a field of a task that is not a column.
const commentAuthors = "comment_authors"

// authors returns the table with the comment authors of tasks.
func (t Tables) authors() string { return t.Task + "_comment_authors" }

const catalogSQL = `
WITH RECURSIVE bases (domain, base) AS (
  SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT b.domain, y.typbasetype FROM bases b JOIN pg_type y ON y.oid = b.base WHERE y.typtype = 'd')
SELECT t.relname::text, a.attname::text, EXISTS (
         SELECT FROM pg_constraint c
         WHERE c.conrelid = t.oid AND c.contype = 'f' AND a.attnum = ANY (c.conkey)),
       a.atttypid, coalesce(d.base, a.atttypid)
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN (
  SELECT b.domain, b.base FROM bases b JOIN pg_type y ON y.oid = b.base WHERE y.typtype <> 'd') d ON d.domain = a.atttypid
WHERE n.nspname = $1 AND t.relname = ANY ($2::text[])`

func readCatalog(ctx context.Context, db Querier, names Tables) (*catalog, error) {
	tables := []string{names.Project, names.Task, names.Annotation, names.authors(), predictions}
	c := &catalog{columns: map[string]map[string]column{}}
	var table, name string
	var found column
	to := []any{&table, &name, &found.foreign, &found.kind, &found.base}
	err := eachRow(ctx, db, catalogSQL, []any{names.Schema, tables}, to, func() {
		if c.columns[table] == nil {
			c.columns[table] = map[string]column{}
		}
		c.columns[table][name] = found
	})
	if err != nil {
		return nil, fmt.Errorf("read columns of schema %s: %w", names.Schema, err)
	}
	c.findOptional(names)
	return c, nil
}

// findOptional counts the columns that some versions of Label Studio lack.
func (c *catalog) findOptional(names Tables) {
	var pairs []string
	for _, o := range [][2]string{
		{names.authors(), "user_id"}, {predictions, "task_id"}, {predictions, "project_id"}, {names.Annotation, "project_id"},
	} {
		pairs = append(pairs, "("+literal(o[0])+", "+literal(o[1])+")")
		if c.has(o[0], o[1]) {
			c.optional++
		}
	}
	if c.optional < len(pairs) {
		c.recount = `SELECT count(*) FROM pg_catalog.pg_class t
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = ` + literal(names.Schema) + ` AND (t.relname, a.attname) IN (` + strings.Join(pairs, ", ") + ")"
	}
}

func (c *catalog) has(table, column string) bool {
	_, ok := c.columns[table][column]
	return ok
}

// covers reports whether the catalog has the relation's columns with the same types.
// Queries name the base type of a domain. Computed columns are not in it.
func (c *catalog) covers(table string, rel *cdc.Relation) bool {
	computed := []string{commentAuthors, snapshotColumn, projectColumn}
	for _, column := range rel.Columns {
		known, ok := c.columns[table][column.Name]
		if !ok && !slices.Contains(computed, column.Name) || ok && column.Type != known.kind && column.Type != known.base {
			return false
		}
	}
	return true
}

// literal returns the text as a string constant, for sessions with
// standard_conforming_strings.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// CheckTables returns a *MissingColumnError if a table presently lacks a column that the
// rules need.
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
