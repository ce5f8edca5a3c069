package send

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// wire is a receiver that keeps the bytes of each request, and answers 200.
type wire struct {
	host     string
	requests chan string
}

func newWire(t testing.TB) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{host: listener.Addr().String(), requests: make(chan string, 100)}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go w.serve(conn)
		}
	}()
	return w
}

// serve reads requests to the empty line and then as many bytes as the first
// Content-Length says. What else is sent becomes a request of its own.
func (w *wire) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		var raw strings.Builder
		for !strings.HasSuffix(raw.String(), "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			if err != nil {
				return // the sender is done
			}
			raw.WriteString(line)
		}
		length := 0
		if m := regexp.MustCompile(`(?i)\r\ncontent-length: *(\d+)`).FindStringSubmatch(raw.String()); m != nil {
			length, _ = strconv.Atoi(m[1]) // digits
		}
		if _, err := io.CopyN(&raw, reader, int64(length)); err != nil {
			return
		}
		w.requests <- raw.String()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// send makes one attempt for the hook and returns the bytes that arrived.
func (w *wire) send(t testing.TB, s *Sender, hook *hook.Hook) string {
	t.Helper()
	out := s.Send(t.Context(), hook, testMessage)
	if out.Result != Result2xx {
		t.Fatalf("outcome %+v", out)
	}
	if n := len(w.requests); n != 1 {
		t.Fatalf("%d requests arrived", n)
	}
	return <-w.requests
}

var headerLine = regexp.MustCompile(`^([A-Za-z0-9_-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)$`)

// checkRequest fails unless the bytes are one POST of testMessage to the target,
// with the headers of hooktail once each and as they are to be, and besides them
// the hook's own alone.
func (w *wire) checkRequest(t testing.TB, raw, target string, own map[string]string) {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	if body != string(testMessage.Body.Bytes()) {
		t.Errorf("body %q", body)
	}
	lines := strings.Split(head, "\r\n")
	if want := "POST " + target + " HTTP/1.1"; lines[0] != want {
		t.Errorf("request line %q, want %q", lines[0], want)
	}
	want := map[string]string{ // by name in the form that CGI servers make of it
		"host": w.host, "content-length": strconv.Itoa(testMessage.Body.Len()),
		"idempotency-key": testMessage.ID, "webhook-id": testMessage.ID, "webhook-attempt": "3",
		"hooktail-lsn": testMessage.LSN, "hooktail-commit-time": testMessage.Committed,
	}
	free := map[string]bool{"webhook-timestamp": true, "webhook-signature": true, "content-type": true, "user-agent": true}
	for name := range own {
		free[plainName(name)] = true
	}
	seen := make(map[string]bool)
	for _, line := range lines[1:] {
		m := headerLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("line %q", line)
			continue
		}
		name := plainName(m[1])
		value, fixed := want[name]
		switch {
		case seen[strings.ToLower(m[1])]:
			t.Errorf("header %s is set twice", m[1])
		case fixed && m[2] != value:
			t.Errorf("header %s: %q, want %q", m[1], m[2], value)
		case !fixed && !free[name]:
			t.Errorf("header %s was asked for by nobody", m[1])
		}
		seen[strings.ToLower(m[1])] = true
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// TestHeadersOnTheWire: whatever a hook's headers are, they are refused, or arrive
// as the headers that they say they are, beside those of hooktail and not in their
// place.
func TestHeadersOnTheWire(t *testing.T) {
	w := newWire(t)
	s := newTestSender(t, Options{Secrets: func(int64) ([]SigningKey, error) { return []SigningKey{mustSigningKey(t, specimen)}, nil }})
	for _, tt := range []struct {
		name, value string
		refused     bool
	}{
		{"X-Team", "newsroom", false},
		{"x-team", "a: b; c=\"d\", e", false},
		{"X-Unicode", "Jürgen ✓  x", false},
		{"X-Empty", "", false},
		{"X-Blank", "   ", false},
		{"X-Tab", "a\tb", false},
		{"X-Latin", "Jürgen", false},
		{"X-Long", strings.Repeat("x", 8000), false},
		{"Authorization", "Bearer hush", false},
		{"Content-Type", "application/cloudevents+json", false},
		{"content_type", "text/plain", false},
		{"User-Agent", "", false},
		{"user-agent", "mine", false},
		{"Cookie", "a=b", false},
		{"Content-Encoding", "gzip", false},
		{"X-Forwarded-For", "127.0.0.1", false},
		{"WebhookId", "1", false}, // no hyphen: another name

		{"X-Split", "a\r\nHost: evil", true},
		{"X-Split", "a\nwebhook-id: evil", true},
		{"X-Split", "a\rContent-Length: 0", true},
		{"X-Split", "a\r\n\r\nPOST /evil HTTP/1.1", true},
		{"X-Fold", "a\r\n b", true},
		{"X-Nul", "a\x00b", true},
		{"X-Delete", "a\x7f", true},
		{"X-Split\r\nHost", "evil", true},
		{"X-Split:", "evil", true},
		{"X Split", "evil", true},
		{" Host", "evil", true},
		{"Host ", "evil", true},
		{"Host\t", "evil", true},
		{"Host\x00", "evil", true},
		{"Hоst", "evil", true}, // Cyrillic
		{"", "evil", true},
		{"Host", "evil", true},
		{"HOST", "evil", true},
		{"Content-Length", "0", true},
		{"content_length", "0", true},
		{"CONTENT-Length", "4", true},
		{"Transfer-Encoding", "chunked", true},
		{"transfer_encoding", "chunked", true},
		{"Trailer", "X-A", true},
		{"TE", "trailers", true},
		{"Connection", "webhook-id", true}, // a proxy would take it away
		{"Keep-Alive", "timeout=1", true},
		{"Proxy-Connection", "close", true},
		{"Proxy-Authorization", "Basic eA==", true},
		{"Upgrade", "h2c", true},
		{"Expect", "100-continue", true},
		{"Idempotency-Key", "evil", true},
		{"Idempotency_Key", "evil", true},
		{"webhook-id", "evil", true},
		{"Webhook-Timestamp", "0", true},
		{"WEBHOOK-SIGNATURE", "v1,evil", true},
		{"webhook_signature", "v1,evil", true},
		{"webhook-anything", "evil", true},
		{"hooktail-lsn", "evil", true},
		{"Hooktail_Commit_Time", "evil", true},
	} {
		t.Run(fmt.Sprintf("%q: %.20q", tt.name, tt.value), func(t *testing.T) {
			own := map[string]string{tt.name: tt.value}
			text, err := json.Marshal(own)
			if err != nil {
				t.Fatal(err)
			}
			hook := anyHook(t, dispatchtest.HookRow(1, "http://"+w.host+"/h").With("headers", string(text)))
			if refused := hook.IsRefused(); refused != tt.refused {
				t.Fatalf("refused: %t (%s), want %t", refused, hook.Fault, tt.refused)
			}
			if !tt.refused {
				w.checkRequest(t, w.send(t, s, hook), "/h", own)
			}
		})
	}
}

// TestURLsOnTheWire: what stands in a URL stays in the request's first line.
func TestURLsOnTheWire(t *testing.T) {
	w := newWire(t)
	s := newTestSender(t, Options{})
	for _, tt := range []struct{ name, url, want string }{
		{"nothing", "", "/"},
		{"path", "/a/b", "/a/b"},
		{"query alone", "?a=b", "/?a=b"},
		{"fragment", "/a#b", "/a"},
		{"blank in the path", "/a b HTTP/1.1", "/a%20b%20HTTP/1.1"},
		{"blank in the query", "/a?b HTTP/1.1", "/a?b%20HTTP/1.1"},
		{"line break, escaped", "/a%0d%0aHost:%20evil?b%0d%0ac", "/a%0d%0aHost:%20evil?b%0d%0ac"},
		{"beyond ASCII", "/ü?ü", "/%C3%BC?%C3%BC"},
		{"dots", "/../..//a/./b", "/../..//a/./b"},
		{"absolute form", "/http://evil/", "/http://evil/"},
		{"asterisk", "/*", "/*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.checkRequest(t, w.send(t, s, oneHook(t, dispatchtest.HookRow(1, "http://"+w.host+tt.url))), tt.want, nil)
		})
	}
}
