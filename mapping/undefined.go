package mapping

import (
	"bytes"
	"encoding/json"
	"slices"
)

// undefined is the key under which Label Studio stores the data of a task that was
// imported before its project had a name for them.
const undefined = `$undefined$`

// nameUndefined returns a task's data with the key $undefined$ renamed to the first key
// of the project's data_types in the order of jsonb: the shortest. Data without that key,
// or of a project without data_types, are unchanged.
func nameUndefined(data, types []byte) []byte {
	if !bytes.Contains(data, []byte(`"`+undefined+`"`)) {
		return data
	}
	named, stored := members(types), members(data)
	at := slices.IndexFunc(stored, func(m objectMember) bool { return m.name == undefined })
	if len(named) == 0 || at < 0 {
		return data
	}
	renamed := objectMember{named[0].name, stored[at].value}
	stored = slices.DeleteFunc(stored, func(m objectMember) bool { return m.name == undefined || m.name == renamed.name })
	dst := append(make([]byte, 0, len(data)+len(renamed.name)), '{')
	for i, m := range append(stored, renamed) {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(appendString(dst, []byte(m.name)), ": "...), m.value...)
	}
	return append(dst, '}')
}

type objectMember struct {
	name  string
	value json.RawMessage // in its original form
}

// members returns the members of a JSON object in order, none if the text is not an object.
func members(object []byte) (all []objectMember) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		m := objectMember{}
		m.name, _ = key.(string)
		if err := d.Decode(&m.value); err != nil {
			return nil
		}
		all = append(all, m)
	}
	return all
}
