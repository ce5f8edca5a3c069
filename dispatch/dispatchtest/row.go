package dispatchtest

import (
	"maps"
	"strconv"
)

// Null is a null value in a Row.
const Null = "\x00"

// Row is a row of one of the hooks' tables, by column.
type Row map[string]string

// Text returns the column's value; ok is false if the row does not contain it.
func (r Row) Text(column string) (value string, null, ok bool) {
	value, ok = r[column]
	if value == Null {
		return "", true, ok
	}
	return value, false, ok
}

// With returns the row with other values.
func (r Row) With(columnsAndValues ...string) Row {
	out := maps.Clone(r)
	for i := 0; i < len(columnsAndValues); i += 2 {
		out[columnsAndValues[i]] = columnsAndValues[i+1]
	}
	return out
}

// Without returns the row without the column.
func (r Row) Without(column string) Row {
	out := maps.Clone(r)
	delete(out, column)
	return out
}

// HookRow returns an active hook of organization 1 for all actions.
func HookRow(id int64, url string) Row {
	return Row{
		"id": strconv.FormatInt(id, 10), "url": url, "headers": "{}",
		"organization_id": "1", "project_id": Null,
		"send_payload": "t", "send_for_all_actions": "t", "is_active": "t",
		"created_at": "2026-11-23 09:37:58.230832+00",
	}
}
