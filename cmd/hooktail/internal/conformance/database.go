package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Tables that webhooks are about.
const (
	projects       = "project"
	tasks          = "task"
	annotations    = "task_completion"
	predictions    = "prediction"
	commentAuthors = "task_comment_authors"
	hooks          = "webhook"
	hookActions    = "webhook_action"
)

// database is an in-memory copy of the rows, kept current by the WAL's text.
type database struct {
	types map[string]map[string]string
	rows  map[string]map[int64]Row
	// home is the last project of each task. The Data Manager clears project_id in a
	// transaction of its own before it deletes a task.
	home      map[int64]int64
	generated bool // the WAL that hooktail reads contains generated columns
}

// searchVectors are the generated columns of the base's projects, which pg_dump omits:
// to_tsvector('english', …) of id and title.
var searchVectors = map[int64]string{
	1: "'1':1A 'newsroom':2B",
	2: "'2':1A 'quiet':2B",
	3: "'3':1A 'doom':2B",
	4: "'4':1A 'elsewher':2B",
}

// newDatabase contains the rows of base, a pg_dump of the tables of schema.
func newDatabase(schema, base string) (*database, error) {
	loaded, err := copyRows(base)
	if err != nil {
		return nil, fmt.Errorf("read the base data: %w", err)
	}
	db := &database{types: columnTypes(schema), rows: map[string]map[int64]Row{}, home: map[int64]int64{}}
	for _, table := range []string{projects, tasks, annotations, predictions, commentAuthors, hooks, hookActions} {
		db.rows[table] = map[int64]Row{}
		for _, row := range loaded[table] {
			for column, value := range row {
				if db.types[table][column] == "boolean" && !value.Null {
					row[column] = Value{Text: strconv.FormatBool(value.Text == "t")}
				}
			}
			db.put(table, row)
		}
	}
	for id, row := range db.rows[projects] {
		row["search_vector"] = Value{Text: searchVectors[id]}
	}
	return db, nil
}

func (db *database) put(table string, row Row) {
	id := row.id("id")
	db.rows[table][id] = row
	if project := row.id("project_id"); table == tasks && project != 0 {
		db.home[id] = project
	}
}

// apply makes the changes of one transaction and returns their effect on each row, in the
// order of its first change.
func (db *database) apply(tx []RowChange) []effect {
	var effects []effect
	for _, c := range tx {
		table, watched := db.rows[c.Table]
		if !watched {
			continue
		}
		key := c.New.id("id")
		if c.Old != nil {
			key = c.Old.id("id")
		}
		at := slices.IndexFunc(effects, func(e effect) bool { return e.table == c.Table && e.id == key })
		if at < 0 {
			at = len(effects)
			effects = append(effects, effect{table: c.Table, id: key, before: table[key]})
		}
		if c.Op == "DELETE" {
			delete(table, key)
		} else {
			row := maps.Clone(c.New)
			for column, value := range table[key] {
				if _, there := row[column]; !there { // TOASTed and not in the WAL
					row[column] = value
				}
			}
			db.put(c.Table, row)
		}
		effects[at].after = table[key]
	}
	return effects
}

// effect is the combined effect of a transaction on one row.
type effect struct {
	table         string
	id            int64
	before, after Row // nil: no row
}

func (e effect) inserted() bool { return e.before == nil && e.after != nil }
func (e effect) updated() bool  { return e.before != nil && e.after != nil }
func (e effect) deleted() bool  { return e.before != nil && e.after == nil }

// last returns the newest known row: for a deleted row, the one before.
func (e effect) last() Row {
	if e.after != nil {
		return e.after
	}
	return e.before
}

// changed reports whether the column has a different value than before.
func (e effect) changed(column string) bool { return e.before[column] != e.after[column] }

// id returns the integer in a column, 0 if it is null or unknown.
func (r Row) id(column string) int64 {
	n, err := strconv.ParseInt(r[column].Text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r Row) is(column string) bool { return r[column].Text == "true" }

func (r Row) null(column string) bool { return r[column].Null || r[column] == Value{} }
