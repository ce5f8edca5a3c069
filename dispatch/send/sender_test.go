package send

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

func newTestSender(t testing.TB, o Options) *Sender {
	t.Helper()
	if o.Egress.guard == nil && o.Egress.only == nil {
		o.Egress = mustEgress(t, "internal")
	}
	s := New(o)
	t.Cleanup(s.Close)
	return s
}

// anyHook is the hook of the row, which may be refused.
func anyHook(t testing.TB, r dispatchtest.Row) *hook.Hook {
	t.Helper()
	hooks := hook.NewSet(hook.Options{Log: slog.New(slog.DiscardHandler)})
	if err := hooks.Apply(hook.RowChange{Table: hook.Webhook, Row: r}); err != nil {
		t.Fatal(err)
	}
	return hooks.All()[0]
}

// oneHook is the hook of the row.
func oneHook(t testing.TB, r dispatchtest.Row) *hook.Hook {
	t.Helper()
	hook := anyHook(t, r)
	if hook.IsRefused() {
		t.Fatalf("refused: %s", hook.Fault)
	}
	return hook
}

var testMessage = Message{ID: "1-16B374D848-7", LSN: "16/B374D848", Committed: "2026-11-23T09:37:58.230832Z", Attempt: 3, Body: mapping.BodyOf([]byte(`{"action": "X"}`))}

func TestRequestHeaders(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	s := newTestSender(t, Options{Version: "1.2.3"})
	for _, tt := range []struct {
		name, headers string
		want          map[string]string
	}{
		{"none of its own", `{}`, map[string]string{"Content-Type": "application/json", "User-Agent": "hooktail/1.2.3"}},
		{"its own", `{"x-team": "newsroom", "Authorization": "Bearer placeholder"}`, map[string]string{
			"Content-Type": "application/json", "User-Agent": "hooktail/1.2.3", "X-Team": "newsroom", "Authorization": "Bearer placeholder",
		}},
		{"overriding", `{"content-type": "application/cloudevents+json", "user-agent": "mine"}`, map[string]string{
			"Content-Type": "application/cloudevents+json", "User-Agent": "mine",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(tt.name, " ", "-")
			out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+path+"?a=b").With("headers", tt.headers)), testMessage)
			if out.Result != Result2xx || out.Status != 200 || out.Took <= 0 {
				t.Fatalf("outcome %+v", out)
			}
			got := receiver.Wait(t, path, 1)[0]
			header := make(map[string]string)
			for name, values := range got.Header {
				header[name] = strings.Join(values, "|")
			}
			stamp := header["Webhook-Timestamp"]
			if sent, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(sent, 0)).Abs() > time.Minute {
				t.Errorf("webhook-timestamp %q", stamp)
			}
			delete(header, "Webhook-Timestamp")
			want := map[string]string{
				"Webhook-Id": testMessage.ID, "Idempotency-Key": testMessage.ID, "Webhook-Attempt": "3",
				"Hooktail-Lsn": "16/B374D848", "Hooktail-Commit-Time": testMessage.Committed, "Content-Length": "15",
			}
			maps.Copy(want, tt.want)
			if diff := cmp.Diff(want, header); diff != "" {
				t.Error(diff)
			}
			if string(got.Body) != `{"action": "X"}` || got.Query != "a=b" {
				t.Errorf("body %q, query %q", got.Body, got.Query)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := newTestSender(t, Options{Timeout: 20 * time.Second})
	hasty := newTestSender(t, Options{Timeout: 100 * time.Millisecond})
	public := newTestSender(t, Options{Egress: mustEgress(t, "public")})
	for _, tt := range []struct {
		name   string
		sender *Sender
		url    string // of the receiver if it is empty
		step   dispatchtest.Step
		want   Result
	}{
		{"created", s, "", dispatchtest.Status(201), Result2xx},
		{"not modified", s, "", dispatchtest.Status(304), Result3xx},
		{"forbidden", s, "", dispatchtest.Status(403), Result4xx},
		{"unavailable", s, "", dispatchtest.RetryAfter(503, "7"), Result5xx},
		{"hangs", hasty, "", dispatchtest.Hang(), ResultTimeout},
		{"too late", hasty, "", dispatchtest.Delay(time.Minute, dispatchtest.Status(200)), ResultTimeout},
		{"drips its header", hasty, "", dispatchtest.SlowHeader(20 * time.Millisecond), ResultTimeout},
		{"resets", s, "", dispatchtest.Reset(), ResultReset},
		{"does not speak HTTP", s, "", dispatchtest.Raw("SSH-2.0-OpenSSH_9.2\r\n"), ResultReset},
		{"says nothing", s, "", dispatchtest.Raw(""), ResultReset},
		{"has endless headers", s, "", dispatchtest.Raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10)), Result2xx},
		{"has endless headers, and no", s, "", dispatchtest.Raw("HTTP/1.1 500 No\r\nX: " + strings.Repeat("x", 100<<10)), Result5xx},
		{"refuses", s, closedPort(t), dispatchtest.Step{}, ResultRefused},
		{"has no name", s, "http://hook.invalid/", dispatchtest.Step{}, ResultDNS},
		{"is not trusted", s, secure.URL, dispatchtest.Step{}, ResultTLS},
		{"speaks no TLS", s, strings.Replace(receiver.URL, "http:", "https:", 1), dispatchtest.Step{}, ResultTLS},
		{"is link-local", s, "http://169.254.169.254/latest/meta-data", dispatchtest.Step{}, ResultBlocked},
		{"is loopback", public, receiver.URL, dispatchtest.Step{}, ResultBlocked},
		{"is loopback by name", public, "http://localhost:1/", dispatchtest.Step{}, ResultBlocked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(tt.name, " ", "-")
			url := tt.url
			if url == "" {
				url = receiver.URL + path
				receiver.Script(path, tt.step)
			}
			out := tt.sender.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, url)), testMessage)
			if out.Result != tt.want {
				t.Errorf("result %s, want %s (%v)", out.Result, tt.want, out.Err)
			}
			if (out.Status == 0) != (out.Err != nil) {
				t.Errorf("outcome %+v", out)
			}
			if wait := 7 * time.Second; tt.name == "unavailable" && out.RetryAfter != wait {
				t.Errorf("Retry-After %s", out.RetryAfter)
			}
		})
	}
}

// closedPort is a URL where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/"
}

func TestRedirectIsNotFollowed(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	s := newTestSender(t, Options{})
	for _, code := range []int{301, 302, 303, 307, 308} {
		receiver.Script("/from", dispatchtest.Redirect(code, receiver.URL+"/to"))
		if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/from")), testMessage); out.Result != Result3xx || out.Status != code {
			t.Errorf("%d: outcome %+v", code, out)
		}
	}
	if n := len(receiver.Requests("/to")); n != 0 {
		t.Errorf("%d requests followed", n)
	}
}

func TestEndlessBodyIsCut(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.EndlessBody(200))
	s := newTestSender(t, Options{Timeout: 30 * time.Second})
	out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h")), testMessage)
	if out.Result != Result2xx || out.Took > 10*time.Second {
		t.Errorf("outcome %+v", out)
	}
}

func TestSlowDripIsCut(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	s := newTestSender(t, Options{Timeout: 200 * time.Millisecond})
	for _, tt := range []struct {
		status int
		want   Result
	}{{200, Result2xx}, {500, Result5xx}} {
		receiver.Script("/h", dispatchtest.SlowBody(tt.status, 10*time.Millisecond))
		out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h")), testMessage)
		if out.Result != tt.want || out.Took > 5*time.Second {
			t.Errorf("outcome %+v", out)
		}
	}
}

// TestSwitchedProtocolIsLeft: an answer that turns the connection over to another protocol
// ends the attempt, too, whether or not anything follows it. The connection is closed.
func TestSwitchedProtocolIsLeft(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.SwitchProtocol())
	for name, round := range map[string]func(*Sender, *hook.Hook) Outcome{
		"attempt":  func(s *Sender, h *hook.Hook) Outcome { return s.Send(t.Context(), h, testMessage) },
		"exchange": func(s *Sender, h *hook.Hook) Outcome { return s.Exchange(t.Context(), h, testMessage).Outcome },
	} {
		s := newTestSender(t, Options{Timeout: 10 * time.Second})
		h := oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h"))
		ended := make(chan Outcome, 1)
		go func() { ended <- round(s, h) }()
		select {
		case out := <-ended:
			if out.Result != ResultReset || out.Status != http.StatusSwitchingProtocols || len(out.Answer) != 0 {
				t.Errorf("%s: outcome %+v", name, out)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: it does not end", name)
		}
	}
}

// The answer is read, so that the connection serves again.
func TestConnectionIsReused(t *testing.T) {
	connections := make(chan struct{}, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 4000))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	s := newTestSender(t, Options{Timeout: 10 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, server.URL))
	for range 20 {
		if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
			t.Fatalf("outcome %+v", out)
		}
	}
	if n := len(connections); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	own := newTransport(Options{})
	if own.through != nil || own.direct.at(time.Now()).Proxy != nil {
		t.Error("a proxy is asked")
	}
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	payload := bytes.Repeat([]byte("x"), 2048)
	b.Run("sender", func(b *testing.B) {
		s := newTestSender(b, Options{})
		hook := oneHook(b, dispatchtest.HookRow(1, server.URL+"/h/1"))
		m := testMessage
		m.Body = mapping.BodyOf(payload)
		b.ReportAllocs()
		for b.Loop() {
			if out := s.Send(context.Background(), hook, m); out.Result != Result2xx {
				b.Fatal(out.Err)
			}
		}
	})
	b.Run("http.Post", func(b *testing.B) {
		client := &http.Client{Timeout: time.Second}
		defer client.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			answer, err := client.Post(server.URL+"/h/1", "application/json", bytes.NewReader(payload))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	})
}
