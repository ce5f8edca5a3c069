package mapping

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hooktail/hooktail/cdc"
)

// format turns the rows of one relation into JSON objects, with one field per column in
// the table's order.
type format struct {
	relation *cdc.Relation
	fields   []field
}

type field struct {
	column string
	key    []byte // `"name": `
	as     encoding
}

// foreignKeys are the known foreign keys of Label Studio: the database may lack a
// constraint, and ids that refer to nothing (unique_id, import_id) have similar names.
var foreignKeys = [tables][]string{
	project: {"organization_id", "created_by_id", "deleted_by_id"},
	task:    {"project_id", "updated_by_id", "file_upload_id"},
	annotation: {
		"task_id", "project_id", "completed_by_id", "updated_by_id", "parent_prediction_id",
		"parent_annotation_id", "last_created_by_id",
	},
}

// secrets are columns of a project that are sent as null by default.
var secrets = []string{"token", "task_data_password"}

// newFormat prepares the encoding of a relation's rows. known are the columns in the
// database. Those with a foreign key are sent without _id, as in the application's models.
// Those of a domain have the encoding of its base type, which queries name, whereas the
// stream names the domain; if the type has changed since, they keep their own.
func newFormat(rel *cdc.Relation, of table, known map[string]column, sendSecrets bool) *format {
	f := &format{relation: rel, fields: make([]field, len(rel.Columns))}
	taken := make(map[string]bool, len(rel.Columns)) // each field name is used once
	for _, c := range rel.Columns {
		taken[c.Name] = true
	}
	for i, c := range rel.Columns {
		name, as, now := c.Name, encodings[c.Type], known[c.Name]
		short, ok := strings.CutSuffix(name, "_id")
		if ok && short != "" && !taken[short] && (now.foreign || slices.Contains(foreignKeys[of], name)) {
			name, taken[short] = short, true
		}
		switch {
		case of == project && slices.Contains(countNames, c.Name), c.Name == snapshotColumn, c.Name == projectColumn:
			as = asNothing // it is counted, or does not belong to the row
		case of == project && !sendSecrets && slices.Contains(secrets, c.Name):
			as = asSecret
		case as == asString && c.Type == now.kind:
			as = encodings[now.base]
		}
		key := append(appendString(nil, []byte(name)), ": "...)
		f.fields[i] = field{column: c.Name, key: key, as: as}
	}
	return f
}

// read is a row returned by a query, later than the stream's.
type read struct {
	relation *cdc.Relation
	row      cdc.Tuple
}

// appendFields appends the row's columns, separated by commas, without braces. A TOASTed
// value missing from the row is taken from the old row, else from the row that was read;
// if both lack it, the field is omitted. It returns the number of omitted fields.
// types, if set, are the data_types of a task's project, which name its data.
func (f *format) appendFields(dst []byte, i image, later read, types []byte) (_ []byte, omitted int) {
	start := len(dst)
	for at := range f.fields {
		field, as := &f.fields[at], f.fields[at].as
		if as == asNothing {
			continue
		}
		text, kind := i.value(at)
		if kind == cdc.Unchanged {
			column := -1
			if later.relation != nil {
				column = later.relation.Index(field.column)
			}
			if column < 0 {
				omitted++
				continue
			}
			kind, text = later.row.Kind(column), later.row.Text(column)
			as = encodings[later.relation.Columns[column].Type] // the type may have changed since
		}
		if len(dst) > start {
			dst = append(dst, ", "...)
		}
		dst = append(dst, field.key...)
		switch {
		case kind != cdc.Text:
			dst = append(dst, "null"...)
		case types != nil && field.column == "data":
			dst = append(dst, nameUndefined(text, types)...)
		default:
			dst = appendValue(dst, as, text)
		}
	}
	return dst, omitted
}

// value returns column at of the row, or of the old row if the row lacks it.
func (i image) value(at int) ([]byte, cdc.Kind) {
	kind := i.row.Kind(at)
	if kind == cdc.Unchanged && at < i.old.Len() {
		return i.old.Text(at), i.old.Kind(at)
	}
	return i.row.Text(at), kind
}

func appendIDObject(dst []byte, id int64) []byte {
	return append(strconv.AppendInt(append(dst, `{"id": `...), id, 10), '}')
}
