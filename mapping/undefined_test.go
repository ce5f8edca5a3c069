package mapping

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// drawJSON draws a value as the server writes jsonb: numbers of any size, text of any
// characters, members in the order of their length.
func drawJSON(t *rapid.T, depth int) string {
	kinds := []string{"number", "text", "word", "list", "object", "deep"}
	switch kind := rapid.SampledFrom(kinds[:min(3+depth, len(kinds))]).Draw(t, "kind"); kind {
	case "number":
		return rapid.SampledFrom([]string{"0", "-0", "0.0", "-0.00", "1" + strings.Repeat("0", 400), "0." + strings.Repeat("0", 320) + "1", "123456789012345678901.10", "-9007199254740993"}).Draw(t, "number")
	case "text":
		return drawText(t)
	case "word":
		return rapid.SampledFrom([]string{"null", "true", "false", "{}", "[]"}).Draw(t, "word")
	case "list":
		var all []string
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			all = append(all, drawJSON(t, depth-1))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case "object":
		return drawObject(t, depth-1)
	default:
		n := rapid.SampledFrom([]int{100, 1000}).Draw(t, "depth")
		return strings.Repeat("[", n) + drawJSON(t, 0) + strings.Repeat("]", n)
	}
}

func drawText(t *rapid.T) string {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{undefined, "", "t", `"`, `\`, "\u2028<&>\x7f", "\U0001F600", `\ud83d`, "a\tb\n"})).Draw(t, "text")
	return string(appendString(nil, []byte(strings.ReplaceAll(text, "\x00", "")))) // which jsonb refuses
}

func drawObject(t *rapid.T, depth int) string {
	members := map[string]string{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		members[drawText(t)] = drawJSON(t, depth)
	}
	var keys []string
	for key := range members {
		keys = append(keys, key)
	}
	plain := func(key string) (text string) { _ = json.Unmarshal([]byte(key), &text); return text }
	slices.SortFunc(keys, func(a, b string) int {
		a, b = plain(a), plain(b)
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	for i, key := range keys {
		keys[i] = key + ": " + members[key]
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// tokens are what a strict parser reads, in order, numbers by their digits.
func tokens(t *rapid.T, text []byte) (all []string) {
	if !json.Valid(text) {
		t.Fatalf("no JSON: %.300s", text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("parse %.300s: %v", text, err)
		}
		all = append(all, fmt.Sprintf("%T %v", token, token))
	}
}

// TestJSONAsStored: whatever is in a column of JSON is in the body with the same values
// and digits in the same order, but for the key that Label Studio renames.
func TestJSONAsStored(t *testing.T) {
	rel := &cdc.Relation{Columns: []cdc.Column{{Name: "data", Type: pgtype.JSONBOID}, {Name: "meta", Type: pgtype.JSONBOID}}}
	format := newFormat(rel, task, nil, true)
	often(t, func(t *rapid.T) {
		data, meta, types := drawJSON(t, 3), drawJSON(t, 3), drawObject(t, 0)
		if rapid.Bool().Draw(t, "an object") {
			data = drawObject(t, 2)
		}
		state := image{row: cdc.MakeTuple(cdc.Value{Kind: cdc.Text, Text: []byte(data)}, cdc.Value{Kind: cdc.Text, Text: []byte(meta)})}
		got, _ := format.appendFields([]byte("{"), state, read{}, []byte(types))
		want := data
		if stored, first := members([]byte(data)), members([]byte(types)); len(first) > 0 {
			if at := slices.IndexFunc(stored, func(m objectMember) bool { return m.name == undefined }); at >= 0 {
				var all []string
				for _, m := range stored {
					if m.name != undefined && m.name != first[0].name {
						all = append(all, string(appendString(nil, []byte(m.name)))+": "+string(m.value))
					}
				}
				want = "{" + strings.Join(append(all, string(appendString(nil, []byte(first[0].name)))+": "+string(stored[at].value)), ", ") + "}"
			}
		}
		if want, got := tokens(t, []byte(`{"data": `+want+`, "meta": `+meta+"}")), tokens(t, append(got, '}')); !slices.Equal(want, got) {
			t.Fatalf("data %.300s, meta %.300s, types %s: %.1000s, want %.1000s", data, meta, types, got, want)
		}
	})
}
