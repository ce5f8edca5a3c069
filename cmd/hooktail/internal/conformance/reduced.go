package conformance

import "encoding/json"

// Reduced returns the request without what depends on the time when its body was made:
// only the ids of project and task (or tasks) remain.
func Reduced(r Request) Request {
	var body object
	if json.Unmarshal(r.Body, &body) != nil {
		return r
	}
	for _, nested := range []string{"project", "task", "tasks"} {
		if value, there := body[nested]; there {
			body[nested] = reducedValue(value)
		}
	}
	r.Body = encode(body)
	return r
}

// reducedValue returns a row, or a list of rows, as ids.
func reducedValue(value json.RawMessage) json.RawMessage {
	var rows []object
	if json.Unmarshal(value, &rows) == nil {
		for i, row := range rows {
			rows[i] = object{"id": row["id"]}
		}
		return encode(rows)
	}
	var row object
	if json.Unmarshal(value, &row) == nil {
		return encode(object{"id": row["id"]})
	}
	return value
}
