package dispatch

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// newSocketBench returns a dispatcher on real sockets, with hooks whose paths are /h/<id>.
func newSocketBench(t *testing.T, o Options, timeout time.Duration, rows ...dispatchtest.Row) *bench {
	t.Helper()
	b := &bench{log: &dispatchtest.Log{}}
	b.hooks = hook.NewSet(hook.Options{Log: b.log.Logger(), Counter: o.Metrics})
	for _, r := range rows {
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: r})
	}
	o.Hooks, o.Log = b.hooks, b.log.Logger()
	o.Sender = newTestSender(t, send.Options{Timeout: timeout})
	b.Dispatcher = New(o)
	t.Cleanup(b.Close)
	return b
}

func TestDeadHookDelaysOnlyItself(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h/1", dispatchtest.Hang())
	b := newSocketBench(t, Options{}, time.Second, dispatchtest.HookRow(1, hookURL(receiver.URL, 1)), dispatchtest.HookRow(2, hookURL(receiver.URL, 2)))
	const events = 200
	begun := time.Now()
	for n := 1; n <= events; n++ {
		e := dispatchtest.Event(n, int64(n%20+1))
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, e, nil), deliveryTo(2, e, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	receiver.Wait(t, "/h/2", events)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the healthy hook took %s", took)
	}
	receiver.AllOf(t, "/h/2", ids(1, events)...)
	receiver.DuplicatesAtMost(t, "/h/2", 0)
	if n := len(receiver.Requests("/h/1")); n > 3*8 {
		t.Errorf("%d requests at the dead hook", n)
	}
}

func TestOrderPerHook(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	receiver := dispatchtest.Receiver(t)
	for hook := int64(1); hook <= 3; hook++ {
		script := make([]dispatchtest.Step, 0, 400)
		for range 399 {
			switch random.IntN(8) {
			case 0:
				script = append(script, dispatchtest.Status(500))
			case 1:
				script = append(script, dispatchtest.Reset())
			case 2:
				script = append(script, dispatchtest.Delay(time.Duration(random.IntN(5))*time.Millisecond, dispatchtest.Status(200)))
			default:
				script = append(script, dispatchtest.Status(200))
			}
		}
		receiver.Script(fmt.Sprintf("/h/%d", hook), append(script, dispatchtest.Status(200))...)
	}
	policy := Policy{Base: 4 * time.Millisecond, Cap: 20 * time.Millisecond}
	b := newSocketBench(t, Options{Retry: policy}, 5*time.Second,
		dispatchtest.HookRow(1, hookURL(receiver.URL, 1)), dispatchtest.HookRow(2, hookURL(receiver.URL, 2)), dispatchtest.HookRow(3, hookURL(receiver.URL, 3)))

	const events = 300
	byTask := make(map[int64][]string)
	var chains [][]string // what has to arrive in this order: task events between the project's
	var done atomic.Int64
	barriers := []string{}
	for n := 1; n <= events; n++ {
		task := random.Int64N(12)
		e := dispatchtest.Event(n, task)
		if task == 0 {
			barriers = append(barriers, e.ID.String())
			for other := range byTask {
				byTask[other] = append(byTask[other], e.ID.String())
			}
		} else {
			if byTask[task] == nil {
				byTask[task] = append([]string(nil), barriers...)
			}
			byTask[task] = append(byTask[task], e.ID.String())
		}
		var ds []Delivery
		for hook := int64(1); hook <= 3; hook++ {
			ds = append(ds, deliveryTo(hook, e, func() { done.Add(1) }))
		}
		if err := b.Enqueue(t.Context(), ds); err != nil {
			t.Fatal(err)
		}
	}
	for _, chain := range byTask {
		chains = append(chains, chain)
	}
	b.drain(t)
	if done.Load() != 3*events {
		t.Errorf("%d done", done.Load())
	}
	for _, path := range []string{"/h/1", "/h/2", "/h/3"} {
		receiver.AllOf(t, path, ids(1, events)...)
		for _, chain := range chains {
			receiver.InOrder(t, path, chain...)
		}
	}
}

func TestNoSecretInLogsOrErrors(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	const secret = "hush"
	echo := dispatchtest.Raw("hush: malformed, as an echo of the request\r\n\r\n")
	steps := map[string]dispatchtest.Step{
		"ok": dispatchtest.Status(200), "redirect": dispatchtest.Redirect(302, "http://user:hush@x/?hush"),
		"bad": dispatchtest.Status(400), "gone": dispatchtest.Status(410), "broken": dispatchtest.Status(500),
		"busy": dispatchtest.RetryAfter(429, "hush"), "hang": dispatchtest.Hang(), "reset": dispatchtest.Reset(),
		"echo": echo, "echo-header": dispatchtest.Raw("HTTP/1.1 200 OK\r\nhush hush\r\n\r\n"), "status": dispatchtest.Raw("HTTP/1.1 hush hush\r\n\r\n"),
		"length": dispatchtest.Raw("HTTP/1.1 200 OK\r\nContent-Length: hush\r\n\r\n"), "encoding": dispatchtest.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: hush\r\n\r\n"),
	}
	userinfo := func(base, path string) string {
		return strings.Replace(base, "://", "://hush:hush@", 1) + path + "?token=hush#hush"
	}
	var rows []dispatchtest.Row
	add := func(url, headers string) {
		id := int64(len(rows) + 1)
		rows = append(rows, dispatchtest.HookRow(id, url).With("headers", headers))
	}
	const headers = `{"Authorization": "Bearer hush", "X-Key": "hush"}`
	for name, step := range steps {
		receiver.Script("/"+name, step)
		add(userinfo(receiver.URL, "/"+name), headers)
	}
	add(userinfo("https"+strings.TrimPrefix(receiver.URL, "http"), "/tls"), headers)
	add(userinfo(strings.TrimSuffix(closedPort(t), "/"), "/refused"), headers)
	add(userinfo("http://hook.invalid", "/dns"), headers)
	add(userinfo("http://169.254.169.254", "/blocked"), headers)
	add("http://hush:hush@x:port/?hush", headers)
	add("hush://hush:hush@x/?hush", headers)
	add("http://hush%zz", headers)
	add(userinfo(receiver.URL, "/ok"), `{"X": "hush\r\n"}`)
	add(userinfo(receiver.URL, "/ok"), `["hush"]`)
	add(userinfo(receiver.URL, "/ok"), `{"Host": "hush"}`)

	b := newSocketBench(t, Options{Retry: Policy{MaxAttempts: 2, Base: time.Millisecond, Cap: time.Millisecond}, MaxBytes: 1}, 2*time.Second, rows...)
	e := dispatchtest.Event(1, 1)
	e.Payload = []byte(`"annotation": "hush"`)
	var ds []Delivery
	var finished sync.WaitGroup
	for _, hook := range b.hooks.All() {
		finished.Add(1)
		ds = append(ds, deliveryTo(hook.ID, e, finished.Done))
	}
	if err := b.Enqueue(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	b.drain(t)
	finished.Wait()
	log := b.log.String()
	if strings.Contains(log, secret) {
		for line := range strings.Lines(log) {
			if strings.Contains(line, secret) {
				t.Errorf("secret in the log: %s", line)
			}
		}
	}
	for _, want := range []string{
		"result=3xx", "result=4xx", "result=5xx", "result=timeout", "result=reset", "result=tls", "result=refused",
		"result=dns", "result=blocked", "bad_url", "bad_headers", "level=DEBUG", "level=WARN",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s", want)
		}
	}
	for _, r := range receiver.Requests("/ok") {
		if r.Header.Get("Authorization") != "Bearer hush" || r.Query != "token=hush" {
			t.Errorf("the receiver did not get what it was to get: %v %s", http.Header(r.Header), r.Query)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/"
}
