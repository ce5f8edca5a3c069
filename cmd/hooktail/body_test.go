package main

import (
	"encoding/json"
	"testing"
)

// idOf is the id of what the member of the body is about.
func idOf(t *testing.T, body json.RawMessage, member string) string {
	t.Helper()
	var members map[string]json.RawMessage
	var row struct{ ID json.Number }
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("parse body: %v", err)
	}
	if err := json.Unmarshal(members[member], &row); err != nil {
		t.Fatalf("parse %s of %s: %v", member, body, err)
	}
	return row.ID.String()
}
