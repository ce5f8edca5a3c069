package mapping

import (
	"bytes"
	"encoding/json"
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
	named, ok := members(types)
	if !ok || len(named) == 0 {
		return data
	}
	stored, ok := members(data)
	if !ok {
		return data
	}
	name, value := named[0].name, json.RawMessage(nil)
	for _, m := range stored {
		if m.name == undefined {
			value = m.value
		}
	}
	if value == nil {
		return data
	}
	dst := make([]byte, 0, len(data)+len(name))
	dst = append(dst, '{')
	for _, m := range stored {
		if m.name == undefined || m.name == name {
			continue
		}
		dst = append(appendMember(dst, m.name), m.value...)
	}
	dst = append(appendMember(dst, name), value...)
	return append(dst, '}')
}

func appendMember(dst []byte, name string) []byte {
	if len(dst) > 1 {
		dst = append(dst, ", "...)
	}
	return append(appendString(dst, []byte(name)), ": "...)
}

type objectMember struct {
	name  string
	value json.RawMessage // in its original form
}

// members returns the members of a JSON object in order; ok is false if the text is not
// an object.
func members(object []byte) (_ []objectMember, ok bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	var all []objectMember
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		name, _ := key.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		all = append(all, objectMember{name, value})
	}
	return all, true
}
