package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Difference is one place where two bodies differ. Want and Got are canonical JSON;
// empty: nothing is there.
type Difference struct {
	Path      string // $.project.title, $.tasks[0].id
	Want, Got string
}

// String returns the difference on one line, with long values shortened.
func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.Path, shown(d.Want), shown(d.Got))
}

func shown(value string) string {
	const most = 120
	switch {
	case value == "":
		return "nothing"
	case len(value) > most:
		return value[:most] + "… (" + strconv.Itoa(len(value)) + " bytes)"
	default:
		return value
	}
}

// setsByAction are lists without a defined order: PostgreSQL visits the rows of one
// statement in any order.
var setsByAction = map[string]string{
	"ANNOTATIONS_DELETED": "annotations",
	"TASKS_DELETED":       "tasks",
	"TASKS_CREATED":       "tasks",
	"TASK_CREATED":        "tasks",
}

// Diff returns Differences as text, one line each.
func Diff(want, got json.RawMessage) []string {
	differences, err := Differences(want, got)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, d := range differences {
		lines = append(lines, d.String())
	}
	return lines
}

// Differences compares two request bodies as JSON values: the order of keys is ignored,
// numbers are compared exactly by value, and the lists of deleted ids and of created
// tasks are compared as sets by id.
func Differences(want, got json.RawMessage) ([]Difference, error) {
	w, err := parseBody(want)
	if err != nil {
		return nil, fmt.Errorf("parse the wanted body: %w", err)
	}
	g, err := parseBody(got)
	if err != nil {
		return nil, fmt.Errorf("parse the body: %w", err)
	}
	return compareValues("$", w, g), nil
}

// parseBody reads one JSON value, with numbers in their canonical spelling, and null as text, and sorts sets.
func parseBody(body json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	value = normalized(value)
	if object, ok := value.(map[string]any); ok {
		action, _ := object["action"].(string)
		if list, ok := object[setsByAction[action]].([]any); ok {
			slices.SortStableFunc(list, func(a, b any) int { return cmp.Compare(idOf(a), idOf(b)) })
		}
	}
	return value, nil
}

// normalized spells the numbers of a value, in place, and tells null from what is not there.
func normalized(value any) any {
	switch v := value.(type) {
	case nil:
		return json.RawMessage("null")
	case json.Number:
		return json.Number(decimal(v.String()))
	case map[string]any:
		for key, element := range v {
			v[key] = normalized(element)
		}
	case []any:
		for i, element := range v {
			v[i] = normalized(element)
		}
	}
	return value
}

func idOf(element any) int64 {
	row, _ := element.(map[string]any)
	number, _ := row["id"].(json.Number)
	id, _ := number.Int64() // 0 without an id
	return id
}

// compareValues compares parsed values; nil is not there. The members of two objects, and the
// elements of two lists, are compared one by one.
func compareValues(path string, want, got any) (all []Difference) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			keys := maps.Clone(w)
			maps.Copy(keys, g)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				all = append(all, compareValues(path+"."+key, w[key], g[key])...)
			}
			return all
		}
	case []any:
		if g, ok := got.([]any); ok {
			for i := range max(len(w), len(g)) {
				all = append(all, compareValues(fmt.Sprintf("%s[%d]", path, i), element(w, i), element(g, i))...)
			}
			return all
		}
	}
	if w, g := canonical(want), canonical(got); w != g {
		return []Difference{{Path: path, Want: w, Got: g}}
	}
	return nil
}

func element(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// canonical formats a parsed value so that equal values have equal text; "": it is not there.
func canonical(value any) string {
	if value == nil {
		return ""
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(text.String(), "\n")
}
