package mapping

import (
	"slices"
	"strconv"

	"github.com/hooktail/hooktail/cdc"
)

// format is how the rows of one relation become JSON objects: one field per
// column, in the order of the table.
type format struct {
	relation *cdc.Relation
	fields   []field
	id       int
}

type field struct {
	column string
	key    []byte // `"name": `
	as     encoding
}

// foreignKeys are those that Label Studio is known to have: a constraint may
// be missing from the database, and ids that refer to nothing (unique_id,
// import_id) have names that look the same.
var foreignKeys = [tables][]string{
	project: {"organization_id", "created_by_id", "deleted_by_id"},
	task:    {"project_id", "updated_by_id", "file_upload_id"},
	annotation: {
		"task_id", "project_id", "completed_by_id", "updated_by_id", "parent_prediction_id",
		"parent_annotation_id", "last_created_by_id",
	},
}

// secrets are the columns of a project that are sent as null unless asked for.
var secrets = []string{"token", "task_data_password"}

// newFormat prepares the encoding of a relation's rows. references are the
// columns with a foreign key constraint: they are sent without _id, as the
// application's models call them.
func newFormat(rel *cdc.Relation, of table, references []string, sendSecrets bool) *format {
	f := &format{relation: rel, fields: make([]field, len(rel.Columns)), id: rel.Index("id")}
	taken := make(map[string]bool, len(rel.Columns)) // a field's name is there once
	for _, c := range rel.Columns {
		taken[c.Name] = true
	}
	for i, c := range rel.Columns {
		name, as := c.Name, encodingOf(c.Type)
		short, ok := cutID(name)
		if ok && !taken[short] && (slices.Contains(references, name) || slices.Contains(foreignKeys[of], name)) {
			name, taken[short] = short, true
		}
		if of == project && slices.Contains(countNames, c.Name) || c.Name == snapshotColumn || c.Name == projectColumn {
			as = asNothing // it is counted, or of no row
		}
		if of == project && !sendSecrets && slices.Contains(secrets, c.Name) {
			as = asSecret
		}
		key := append(appendString(nil, []byte(name)), ": "...)
		f.fields[i] = field{column: c.Name, key: key, as: as}
	}
	return f
}

func cutID(name string) (string, bool) {
	const suffix = "_id"
	if len(name) <= len(suffix) || name[len(name)-len(suffix):] != suffix {
		return name, false
	}
	return name[:len(name)-len(suffix)], true
}

// read is a row as a query found it, later than the stream's.
type read struct {
	relation *cdc.Relation
	row      cdc.Tuple
}

// appendFields appends the row's columns, separated, without braces. A TOASTed
// value that is not in the row is taken from the old row, else from the row that
// was read; if it is in neither, the field is left out. It returns how many were.
// replace, if any, stands for the value of its column.
func (f *format) appendFields(dst []byte, i image, later read, replace override) (_ []byte, omitted int) {
	start := len(dst)
	for at := range f.fields {
		field, as := &f.fields[at], f.fields[at].as
		if as == asNothing {
			continue
		}
		text, kind := i.value(at)
		if kind == cdc.Unchanged {
			if later.relation == nil {
				omitted++
				continue
			}
			column := later.relation.Index(field.column)
			if column < 0 {
				omitted++
				continue
			}
			kind, text = later.row.Kind(column), later.row.Text(column)
			as = encodingOf(later.relation.Columns[column].Type) // which it may have got since
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, field.key...)
		switch {
		case kind != cdc.Text:
			dst = append(dst, "null"...)
		case replace.column != "" && replace.column == field.column:
			dst = append(dst, replace.json(text)...)
		default:
			dst = appendValue(dst, as, text)
		}
	}
	return dst, omitted
}

// override is another JSON value for a column that is not null.
type override struct {
	column string
	json   func(text []byte) []byte
}

// value is column at of the row, or of the old row where that leaves it out.
func (i image) value(at int) ([]byte, cdc.Kind) {
	kind := i.row.Kind(at)
	if kind == cdc.Unchanged && at < i.old.Len() {
		return i.old.Text(at), i.old.Kind(at)
	}
	return i.row.Text(at), kind
}

// appendID appends `"id": 7`, in braces or not.
func appendID(dst []byte, id int64) []byte {
	return strconv.AppendInt(append(dst, `"id": `...), id, 10)
}

func appendIDObject(dst []byte, id int64) []byte {
	return append(appendID(append(dst, '{'), id), '}')
}
