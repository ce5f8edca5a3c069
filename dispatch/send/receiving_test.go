package send

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

const receivingDoc = "../../docs/receiving.md"

// TestReceivingHeaders: the headers that the document lists are those that are sent.
func TestReceivingHeaders(t *testing.T) {
	_, table, _ := strings.Cut(readDoc(t), "<!-- headers -->")
	table, _, _ = strings.Cut(table, "<!-- /headers -->")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		listed = append(listed, m[1])
	}
	s := newTestSender(t, Options{})
	var sent []string
	for name := range s.request(newEnvelope(t.Context(), time.Second), newTemplate(oneHook(t, dispatchtest.HookRow(1, "http://x/"))), &testMessage, []SigningKey{NewSigningKey()}, time.Now()).Header {
		if name != "Content-Type" && name != "User-Agent" {
			sent = append(sent, strings.ToLower(name))
		}
	}
	slices.Sort(listed)
	slices.Sort(sent)
	if diff := cmp.Diff(sent, listed); diff != "" {
		t.Errorf("headers (-sent +listed):\n%s", diff)
	}
}

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(receivingDoc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
