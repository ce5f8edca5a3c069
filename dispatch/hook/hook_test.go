package hook

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ name, in, want, err string }{
		{"plain", "http://example.com/h/1", "http://example.com/h/1", ""},
		{"port", "https://example.com:8443/h", "https://example.com:8443/h", ""},
		{"no path", "https://example.com", "https://example.com", ""},
		{"IPv6", "http://[::1]:9900/h", "http://[::1]:9900/h", ""},
		{"credentials", "https://user:hush@example.com/h", "https://example.com/h", ""},
		{"query and fragment", "https://example.com/h?token=hush#hush", "https://example.com/h", ""},
		{"escaped path", "https://example.com/a%2Fb", "https://example.com/a%2Fb", ""},
		{"scheme in capitals", "HTTP://example.com/", "http://example.com/", ""},
		{"empty", "", "", "url must begin with http:// or https://"},
		{"relative", "/h/1", "", "url must begin with http:// or https://"},
		{"file", "file:///etc/passwd", "", "url must begin with http:// or https://"},
		{"opaque", "http:example.com", "", "url must name a host"},
		{"no host", "http:///h", "", "url must name a host"},
		{"port alone", "http://:80/h", "", "url must name a host"},
		{"port 0", "http://example.com:0/", "", "url must have a port from 1 to 65535"},
		{"port too large", "http://example.com:65536/", "", "url must have a port from 1 to 65535"},
		{"line break", "http://hush@example.com/\r\nX: y", "", "url cannot be parsed: special characters must be percent-encoded (% is %25)"},
		{"bad escape", "http://example.com/%zz?hush", "", "url cannot be parsed: special characters must be percent-encoded (% is %25)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseURL(tt.in)
			if message := errorText(err); message != tt.err {
				t.Fatalf("error %q, want %q", message, tt.err)
			}
			if got.Whole() != tt.want {
				t.Errorf("is %q, want %q", got.Whole(), tt.want)
			}
		})
	}
}

// TestURLsPrintWithoutTheirPaths: many services have a token there.
func TestURLsPrintWithoutTheirPaths(t *testing.T) {
	for in, want := range map[string]string{
		"https://hooks.example.com/services/T0/hush": "https://hooks.example.com/***",
		"https://hooks.example.com/hush?hush":        "https://hooks.example.com/***",
		"https://hooks.example.com/?hush":            "https://hooks.example.com/",
		"https://hooks.example.com":                  "https://hooks.example.com",
		"http://user:hush@127.0.0.1:80/%2Fhush":      "http://127.0.0.1:80/***",
	} {
		u, err := ParseURL(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.String(); got != want {
			t.Errorf("%s prints as %s, want %s", in, got, want)
		}
	}
}

func TestParseHeaders(t *testing.T) {
	eleven := `{"a":"","b":"","c":"","d":"","e":"","f":"","g":"","h":"","i":"","j":"","k":""}`
	for _, tt := range []struct{ name, in, want, err string }{
		{"none", `{}`, "", ""},
		{"null column", ``, "", ""},
		{"two", `{"X-Team": "newsroom", "Authorization": "Bearer hush"}`, "Authorization: ***, X-Team: ***", ""},
		{"underscore", `{"x_team": "hush"}`, "x_team: ***", ""},
		{"content type", `{"Content-Type": "application/cloudevents+json"}`, "Content-Type: ***", ""},
		{"beyond ASCII", `{"X-Name": "Jürgen"}`, "X-Name: ***", ""},
		{"eleven", eleven, "", "11 headers: at most 10 are allowed"},
		{"array", `["hush"]`, "", "headers must be a JSON object of strings"},
		{"null", `null`, "", "headers must be a JSON object of strings"},
		{"number", `{"X": 7777}`, "", "headers must be a JSON object of strings"},
		{"null value", `{"X": null}`, "", `header "X": the value must be a string`},
		{"empty name", `{"": "hush"}`, "", `header "": a name may only contain letters, digits, - and _`},
		{"blank in name", `{"X Team": "hush"}`, "", `header "X Team": a name may only contain letters, digits, - and _`},
		{"break in name", `{"X\r\nY": "hush"}`, "", `header "X\r\nY": a name may only contain letters, digits, - and _`},
		{"break in value", `{"X": "hush\r\nHost: y"}`, "", `header "X": the value contains a line break or another control character`},
		{"NUL in value", `{"X": "\u0000"}`, "", `header "X": the value contains a line break or another control character`},
		{"twice", `{"X-A": "1", "x-a": "2"}`, "", `header "x-a" is set twice`},
		{"host", `{"Host": "hush"}`, "", `header "Host" cannot be set by a hook`},
		{"length", `{"content-length": "0"}`, "", `header "content-length" cannot be set by a hook`},
		{"length for CGI", `{"Content_Length": "0"}`, "", `header "Content_Length" cannot be set by a hook`},
		{"encoding", `{"Transfer-Encoding": "chunked"}`, "", `header "Transfer-Encoding" cannot be set by a hook`},
		{"connection", `{"Connection": "close"}`, "", `header "Connection" cannot be set by a hook`},
		{"trailer", `{"Trailer": "X"}`, "", `header "Trailer" cannot be set by a hook`},
		{"te", `{"TE": "trailers"}`, "", `header "TE" cannot be set by a hook`},
		{"upgrade", `{"Upgrade": "h2c"}`, "", `header "Upgrade" cannot be set by a hook`},
		{"expect", `{"Expect": "100-continue"}`, "", `header "Expect" cannot be set by a hook`},
		{"id", `{"Webhook-Id": "1"}`, "", `header "Webhook-Id" cannot be set by a hook`},
		{"own", `{"hooktail-lsn": "1"}`, "", `header "hooktail-lsn" cannot be set by a hook`},
		{"key", `{"Idempotency-Key": "1"}`, "", `header "Idempotency-Key" cannot be set by a hook`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseHeaders(tt.in)
			if message := errorText(err); message != tt.err {
				t.Fatalf("error %q, want %q", message, tt.err)
			}
			if got.String() != tt.want {
				t.Errorf("prints %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHookDoesNotPrintSecrets(t *testing.T) {
	hook, err := readHook(dispatchtest.HookRow(1, "http://user:hush@example.com/services/hush?hush#hush").With("headers", `{"X-A": "hush"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(hook)
	if err != nil {
		t.Fatal(err)
	}
	var log dispatchtest.Log
	log.Logger().Info("hook", "hook", hook, "url", hook.URL, "headers", hook.Headers)
	all := fmt.Sprintf("%v %+v %#v %v %+v %#v %s %s", hook, hook, hook, *hook, *hook, *hook, text, &log)
	if strings.Contains(all, "hush") || strings.Contains(all, "user") {
		t.Errorf("secrets are printed: %s", all)
	}
}

func TestHookRow(t *testing.T) {
	good := dispatchtest.HookRow(3, "http://example.com/h")
	for _, tt := range []struct {
		name   string
		row    dispatchtest.Row
		reason Refusal
		err    string
	}{
		{"as recorded", good, NotRefused, ""},
		{"a column more", good.With("color", "red"), NotRefused, ""},
		{"no headers column", good.Without("headers"), NotRefused, ""},
		{"no project column", good.Without("project_id"), NotRefused, ""},
		{"bad url", good.With("url", "ftp://x"), BadURL, ""},
		{"bad headers", good.With("headers", `{"Host": "x"}`), BadHeaders, ""},
		{"no url column", good.Without("url"), NotRefused, "read webhook: column url is missing"},
		{"null url", good.With("url", dispatchtest.Null), BadURL, ""},
		{"no active column", good.Without("is_active"), NotRefused, "read webhook: column is_active is missing"},
		{"text id", good.With("id", "x"), BadRow, ""},
		{"odd boolean", good.With("is_active", "maybe"), BadRow, ""},
		{"null boolean", good.With("send_payload", dispatchtest.Null), BadRow, ""},
		{"no organization", good.With("organization_id", dispatchtest.Null), BadRow, ""},
		{"organization 0", good.With("organization_id", "0"), BadRow, ""},
		{"project 0", good.With("project_id", "0"), BadRow, ""},
		{"project of another type", good.With("project_id", "6f1c2a9e-0b1f-4c57-9f39-3f5f3a8f4b11"), BadRow, ""},
		{"odd date", good.With("created_at", "23.11.2026"), NotRefused, ""},
		{"no date", good.With("created_at", dispatchtest.Null), NotRefused, ""},
		{"date before Christ", good.With("created_at", "0044-03-15 00:00:00+00 BC"), NotRefused, ""},
		{"date without end", good.With("created_at", "infinity"), NotRefused, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hook, err := readHook(tt.row, nil)
			if message := errorText(err); message != tt.err {
				t.Fatalf("error %q, want %q", message, tt.err)
			}
			if err == nil && hook.Refused != tt.reason {
				t.Errorf("refused for %s, want %s", hook.Refused, tt.reason)
			}
		})
	}
}

// A TOASTed column that an UPDATE left alone is as it was.
func TestHookRowKeepsWhatIsNotSaid(t *testing.T) {
	before, err := readHook(dispatchtest.HookRow(3, "http://example.com/h").With("headers", `{"X-A": "1"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	after, err := readHook(dispatchtest.Row{"id": "3", "is_active": "f"}, before)
	if err != nil {
		t.Fatal(err)
	}
	if after.Active || after.URL != before.URL || after.Headers.String() != "X-A: ***" || after.IsRefused() {
		t.Errorf("became %v", after)
	}
	refused, err := readHook(dispatchtest.HookRow(3, "bad").With("headers", `{"Host": "1"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	half, err := readHook(dispatchtest.HookRow(3, "http://example.com/").Without("headers"), refused)
	if err != nil {
		t.Fatal(err)
	}
	if half.Refused != BadHeaders {
		t.Errorf("refused for %s, want %s", half.Refused, BadHeaders)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestLargestHooksFit: whatever people write into the rows of hooks, they leave room for
// the deliveries.
func TestLargestHooksFit(t *testing.T) {
	const hooks, most = 300, 32 << 20
	for _, size := range []int{maxHeaderBytes, 1 << 20} {
		before := heap()
		h := newTestHooks(t)
		for id := range int64(hooks) {
			headers := `{"X-Long": "` + strings.Repeat("x", size-len(`{"X-Long": ""}`)) + `"}`
			url := "http://example.com/" + strings.Repeat("x", maxURL-len("http://example.com/"))
			apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(id+1, url).With("headers", headers)})
		}
		if took := heap() - before; took > most {
			t.Errorf("%d hooks with headers of %d bytes take %d bytes, want at most %d", hooks, size, took, most)
		}
		if hook := h.All()[0]; hook.IsRefused() != (size > maxHeaderBytes) {
			t.Errorf("headers of %d bytes: %s", size, hook.Fault)
		}
	}
}

// heap is the number of bytes in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
