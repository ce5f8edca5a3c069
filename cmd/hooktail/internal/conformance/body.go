package conformance

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object whose values are encoded already.
type object map[string]json.RawMessage

// withoutTarget are columns that end in _id but are not foreign keys.
var withoutTarget = []string{"unique_id", "import_id", "inner_id"}

// columns renders a row: all columns by name, foreign keys without _id.
func (db *database) columns(table string, row Row) object {
	o := object{}
	for column, value := range row {
		name := column
		if !slices.Contains(withoutTarget, column) {
			name = strings.TrimSuffix(column, "_id")
		}
		o[name] = rendered(db.types[table][column], value)
	}
	return o
}

// rendered returns a column's value as JSON.
func rendered(columnType string, value Value) json.RawMessage {
	if value.Null {
		return json.RawMessage("null")
	}
	switch columnType {
	case "integer", "bigint", "boolean", "double precision", "jsonb":
		return json.RawMessage(value.Text)
	case "timestamp with time zone":
		return encode(timestamp(value.Text))
	default:
		return encode(value.Text)
	}
}

// timestamp returns a time with six digits of fraction, or none if they are zero.
func timestamp(text string) string {
	t, err := time.Parse("2006-01-02 15:04:05.999999-07", text)
	if err != nil {
		return err.Error()
	}
	if t.Nanosecond() == 0 {
		return t.UTC().Format("2006-01-02T15:04:05Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func encode(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil { // the value is not JSON: show it in the comparison
		text, _ = json.Marshal(err.Error())
	}
	return text
}

func onlyID(id int64) json.RawMessage { return encode(map[string]int64{"id": id}) }

// taskBody returns the present task; {"id"} if it was deleted.
func taskBody(db *database, id int64) json.RawMessage {
	row, there := db.rows[tasks][id]
	if !there {
		return onlyID(id)
	}
	return rowBody(db, row)
}

// rowBody returns the task of that row.
func rowBody(db *database, row Row) json.RawMessage {
	o := db.columns(tasks, row)
	authors := []int64{}
	for _, author := range db.sorted(commentAuthors) {
		if author.id("task_id") == row.id("id") {
			authors = append(authors, author.id("user_id"))
		}
	}
	o["comment_authors"] = encode(authors)
	o["data"] = named(o["data"], db.rows[projects][row.id("project_id")]["data_types"].Text)
	return encode(o)
}

// named renames the placeholder key to the name of the project's first data type.
func named(data json.RawMessage, dataTypes string) json.RawMessage {
	const placeholder = "$undefined$"
	fields := object{}
	types := json.NewDecoder(strings.NewReader(dataTypes))
	brace, _ := types.Token() // nil without data types
	first, _ := types.Token() // the keys of jsonb are sorted
	name, there := first.(string)
	if json.Unmarshal(data, &fields) != nil || fields[placeholder] == nil || brace != json.Delim('{') || !there {
		return data
	}
	fields[name] = fields[placeholder]
	delete(fields, placeholder)
	return encode(fields)
}

// projectBody returns the present project with its eight counts; {"id"} if it was
// deleted. search_vector is included only if the WAL's text has shown it.
func projectBody(db *database, id int64, secrets bool) json.RawMessage {
	row, there := db.rows[projects][id]
	if !there {
		return onlyID(id)
	}
	o := db.project(row, secrets)
	maps.Copy(o, db.counts(id))
	return encode(o)
}

func (db *database) project(row Row, secrets bool) object {
	o := db.columns(projects, row)
	if !secrets {
		o["token"], o["task_data_password"] = json.RawMessage("null"), json.RawMessage("null")
	}
	return o
}

// goneProjectBody returns a deleted project as of the event's commit. Its content can no
// longer be counted: a new project was empty. The generated column is not in the WAL that
// hooktail reads before PostgreSQL 18.
func goneProjectBody(db *database, ev event, secrets bool) json.RawMessage {
	o := db.project(ev.row, secrets)
	if !db.generated {
		delete(o, "search_vector")
	}
	if ev.action == "PROJECT_CREATED" {
		maps.Copy(o, db.counts(ev.project))
	}
	return encode(o)
}

func (db *database) counts(project int64) object {
	count := func(table string, matches func(Row) bool) json.RawMessage {
		n := 0
		for _, row := range db.rows[table] {
			if row.id("project_id") == project && matches(row) {
				n++
			}
		}
		return json.RawMessage(strconv.Itoa(n))
	}
	all := func(Row) bool { return true }
	useful := func(r Row) bool { return !r.is("was_cancelled") && !r.is("ground_truth") && !r.null("result") }
	annotated := map[int64]bool{} // tasks
	for _, row := range db.rows[annotations] {
		annotated[row.id("task_id")] = annotated[row.id("task_id")] || useful(row)
	}
	return object{
		"task_number":                count(tasks, all),
		"finished_task_number":       count(tasks, func(r Row) bool { return r.is("is_labeled") }),
		"total_predictions_number":   count(predictions, all),
		"total_annotations_number":   count(annotations, func(r Row) bool { return !r.is("was_cancelled") }),
		"num_tasks_with_annotations": count(tasks, func(r Row) bool { return annotated[r.id("id")] }),
		"useful_annotation_number":   count(annotations, useful),
		"ground_truth_number":        count(annotations, func(r Row) bool { return r.is("ground_truth") }),
		"skipped_annotations_number": count(annotations, func(r Row) bool { return r.is("was_cancelled") }),
	}
}

// sorted returns the rows of a table by id.
func (db *database) sorted(table string) []Row {
	var all []Row
	for _, id := range slices.Sorted(maps.Keys(db.rows[table])) {
		all = append(all, db.rows[table][id])
	}
	return all
}
