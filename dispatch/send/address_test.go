package send

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// What becomes of a request to a hostile URL.
const (
	reached   = "reached"   // it arrives at this machine, which is allowed
	allowed   = "allowed"   // its address is tried
	blocked   = "blocked"   // its address is known, and not tried
	unknown   = "unknown"   // it has no address
	malformed = "malformed" // the hook is refused
	untried   = ""          // there is nothing to be learnt
)

// TestHostileURLs sends to URLs that are made to get a request where the policy
// does not want it, with a resolver that answers as the attacker wants.
func TestHostileURLs(t *testing.T) {
	witness := newWitness(t)
	dns := nameServer(map[string]string{
		"localhost":                  "127.0.0.1 ::1",
		"ours.test":                  "127.0.0.1",
		"xn--bcher-kva.test":         "127.0.0.1",
		"metadata.google.internal":   "169.254.169.254",
		"instance-data.ec2.internal": "169.254.169.254",
		"alibaba.test":               "100.100.100.200",
		"azure.test":                 "168.63.129.16",
		"aws6.test":                  "fd00:ec2::254",
		"mapped.test":                "::ffff:169.254.169.254",
		"nat64.test":                 "64:ff9b::7f00:1",
		"6to4.test":                  "2002:7f00:1::1",
		"any.test":                   "0.0.0.0",
		"any6.test":                  "::",
		"several.test":               "169.254.169.254 127.0.0.1",
		"private.test":               "10.0.0.7",
		"empty.test":                 "",
		"0x7f.1":                     "127.0.0.1", // as getaddrinfo takes them
		"0xa9fea9fe":                 "169.254.169.254",
		"0x7f000001":                 "127.0.0.1",
	})
	policies := []struct {
		name   string
		sender *Sender
	}{
		{"internal", newTestSender(t, Options{Egress: mustEgress(t, "internal"), Resolver: dns.resolver()})},
		{"public", newTestSender(t, Options{Egress: mustEgress(t, "public"), Resolver: dns.resolver()})},
		{"127.0.0.1/32", newTestSender(t, Options{Egress: mustEgress(t, "127.0.0.1/32"), Resolver: dns.resolver()})},
	}
	for i, tt := range []struct {
		url                    string // HERE is this machine's port, PATH a path of the row's own
		internal, public, only string
	}{
		// Addresses as they are.
		{"http://127.0.0.1:HERE/PATH", reached, blocked, reached},
		{"http://127.9.9.9:HERE/PATH", allowed, blocked, blocked},
		{"http://[::1]:HERE/PATH", allowed, blocked, blocked},
		{"http://[::1%25lo]:HERE/PATH", allowed, blocked, blocked},
		{"http://0.0.0.0:HERE/PATH", blocked, blocked, blocked},
		{"http://[::]:HERE/PATH", blocked, blocked, blocked},
		{"http://0.1.2.3:HERE/PATH", blocked, blocked, blocked},
		{"http://10.0.0.7:HERE/PATH", untried, blocked, blocked},
		{"http://172.31.255.255/PATH", untried, blocked, blocked},
		{"http://192.168.0.1/PATH", untried, blocked, blocked},
		{"http://100.64.0.1/PATH", untried, blocked, blocked},
		{"http://198.18.0.1/PATH", untried, blocked, blocked},
		{"http://[fd12::1]/PATH", untried, blocked, blocked},
		{"http://224.0.0.1/PATH", blocked, blocked, blocked},
		{"http://255.255.255.255/PATH", blocked, blocked, blocked},
		{"http://240.0.0.1/PATH", blocked, blocked, blocked},
		{"http://[ff02::1]/PATH", blocked, blocked, blocked},
		{"http://[fe80::1%25eth0]/PATH", blocked, blocked, blocked},
		{"http://[fec0::1]/PATH", blocked, blocked, blocked},
		{"http://[100::1]/PATH", blocked, blocked, blocked},

		// Where the machine's own secrets are to be had.
		{"http://169.254.169.254/PATH", blocked, blocked, blocked},
		{"https://169.254.169.254/PATH", blocked, blocked, blocked},
		{"http://169.254.170.2/PATH", blocked, blocked, blocked},
		{"http://169.254.42.42/PATH", blocked, blocked, blocked},
		{"http://100.100.100.200/PATH", blocked, blocked, blocked},
		{"http://168.63.129.16/PATH", blocked, blocked, blocked},
		{"http://192.0.0.192/PATH", blocked, blocked, blocked},
		{"http://[fd00:ec2::254]/PATH", blocked, blocked, blocked},
		{"http://[fd00:ec2::254%25eth0]/PATH", blocked, blocked, blocked},
		{"http://[fd00:ec2::23]/PATH", blocked, blocked, blocked},
		{"http://[fd00:0ec2:0:0:0:0:0:253]/PATH", blocked, blocked, blocked},
		{"http://[fd20:ce::254]/PATH", blocked, blocked, blocked},
		{"http://[fd00:c1::a9fe:a9fe]/PATH", blocked, blocked, blocked},
		{"http://[fd00:42::42]/PATH", blocked, blocked, blocked},
		{"http://[fd00:a9fe:a9fe::1]/PATH", blocked, blocked, blocked},
		{"http://[fd00:100::100:200]/PATH", blocked, blocked, blocked},
		{"http://[fe80::a9fe:a9fe%25eth0]/PATH", blocked, blocked, blocked},

		// An IPv4 address within one of IPv6.
		{"http://[::ffff:127.0.0.1]:HERE/PATH", reached, blocked, reached},
		{"http://[::ffff:7f00:1]:HERE/PATH", reached, blocked, reached},
		{"http://[0:0:0:0:0:ffff:127.9.9.9]:HERE/PATH", allowed, blocked, blocked},
		{"http://[::ffff:169.254.169.254]/PATH", blocked, blocked, blocked},
		{"http://[::ffff:0.0.0.0]:HERE/PATH", blocked, blocked, blocked},
		{"http://[::127.0.0.1]:HERE/PATH", blocked, blocked, blocked},
		{"http://[::ffff:0:127.0.0.1]:HERE/PATH", blocked, blocked, blocked},
		{"http://[64:ff9b::127.0.0.1]:HERE/PATH", blocked, blocked, blocked},
		{"http://[64:ff9b::a9fe:a9fe]/PATH", blocked, blocked, blocked},
		{"http://[64:ff9b:1::a9fe:a9fe]/PATH", blocked, blocked, blocked},
		{"http://[2002:7f00:1::1]:HERE/PATH", blocked, blocked, blocked},
		{"http://[2001:0:a9fe:a9fe::1]/PATH", blocked, blocked, blocked},

		// An address in disguise.
		{"http://2130706433:HERE/PATH", unknown, unknown, unknown},
		{"http://017700000001:HERE/PATH", unknown, unknown, unknown},
		{"http://0177.0.0.1:HERE/PATH", unknown, unknown, unknown},
		{"http://127.1:HERE/PATH", unknown, unknown, unknown},
		{"http://127.0.1:HERE/PATH", unknown, unknown, unknown},
		{"http://127.0.0.1.:HERE/PATH", unknown, unknown, unknown},
		{"http://2852039166/PATH", unknown, unknown, unknown},
		{"http://0x7f.0.0.0x1:HERE/PATH", unknown, unknown, unknown},
		{"http://0x7f.1:HERE/PATH", reached, blocked, reached},
		{"http://0x7f000001:HERE/PATH", reached, blocked, reached},
		{"http://0xa9fea9fe/PATH", blocked, blocked, blocked},
		{"http://①②⑦.⓪.⓪.①:HERE/PATH", reached, blocked, reached},
		{"http://１２７．０．０．１:HERE/PATH", reached, blocked, reached},
		{"http://169。254。169。254/PATH", blocked, blocked, blocked},
		{"http://%31%32%37.0.0.1:HERE/PATH", malformed, malformed, malformed},
		{"http://[127.0.0.1]:HERE/PATH", malformed, malformed, malformed},
		{"http://127.0.0.1:HERE:HERE/PATH", malformed, malformed, malformed},

		// Names.
		{"http://localhost:HERE/PATH", allowed, blocked, allowed},
		{"http://LOCALHOST:HERE/PATH", allowed, blocked, allowed},
		{"http://ⓛocalhost:HERE/PATH", allowed, blocked, allowed},
		{"http://ours.test:HERE/PATH", reached, blocked, reached},
		{"http://ours.test.:HERE/PATH", reached, blocked, reached},
		{"http://xn--bcher-kva.test:HERE/PATH", reached, blocked, reached},
		{"http://bücher.test:HERE/PATH", reached, blocked, reached},
		{"http://metadata.google.internal/PATH", blocked, blocked, blocked},
		{"http://METADATA.google.internal./PATH", blocked, blocked, blocked},
		{"http://instance-data.ec2.internal/PATH", blocked, blocked, blocked},
		{"http://alibaba.test/PATH", blocked, blocked, blocked},
		{"http://azure.test/PATH", blocked, blocked, blocked},
		{"http://aws6.test/PATH", blocked, blocked, blocked},
		{"http://mapped.test/PATH", blocked, blocked, blocked},
		{"http://nat64.test:HERE/PATH", blocked, blocked, blocked},
		{"http://6to4.test:HERE/PATH", blocked, blocked, blocked},
		{"http://any.test:HERE/PATH", blocked, blocked, blocked},
		{"http://any6.test:HERE/PATH", blocked, blocked, blocked},
		{"http://several.test:HERE/PATH", reached, blocked, reached},
		{"http://private.test:HERE/PATH", untried, blocked, blocked},
		{"http://empty.test:HERE/PATH", unknown, unknown, unknown},
		{"http://no.test:HERE/PATH", unknown, unknown, unknown},

		// A host that looks like another one.
		{"http://127.0.0.1:HERE@169.254.169.254/PATH", blocked, blocked, blocked},
		{"http://ours.test@metadata.google.internal/PATH", blocked, blocked, blocked},
		{"http://ours.test%2f@169.254.169.254/PATH", blocked, blocked, blocked},
		{"http://169.254.169.254@ours.test:HERE/PATH", reached, blocked, reached},
		{"http://ours.test:HERE/PATH#@169.254.169.254/", reached, blocked, reached},
		{"http://ours.test:HERE/PATH?@169.254.169.254/", reached, blocked, reached},
		{`http://ours.test:HERE\@169.254.169.254/PATH`, malformed, malformed, malformed},
		{`http://169.254.169.254\@ours.test:HERE/PATH`, malformed, malformed, malformed},
		{`http:\\169.254.169.254/PATH`, malformed, malformed, malformed},
		{"http:169.254.169.254/PATH", malformed, malformed, malformed},
		{"http:///169.254.169.254/PATH", malformed, malformed, malformed},
		{"//169.254.169.254/PATH", malformed, malformed, malformed},
		{" http://169.254.169.254/PATH", malformed, malformed, malformed},
		{"http://169.254.169.254%00.test/PATH", malformed, malformed, malformed},
		{"http://169.254.169.254\t/PATH", malformed, malformed, malformed},
		{"http://ours.test:HERE\r\nHost: 169.254.169.254/PATH", malformed, malformed, malformed},
		{"file:///etc/passwd", malformed, malformed, malformed},
		{"gopher://127.0.0.1:HERE/PATH", malformed, malformed, malformed},
		{"unix:/var/run/docker.sock", malformed, malformed, malformed},
		{"http+unix://%2Fvar%2Frun%2Fdocker.sock/PATH", malformed, malformed, malformed},
	} {
		for p, want := range []string{tt.internal, tt.public, tt.only} {
			if want == untried {
				continue
			}
			t.Run(tt.url+" "+policies[p].name, func(t *testing.T) {
				path := "row-" + strconv.Itoa(i) + "-" + strconv.Itoa(p)
				got := fateOf(t, policies[p].sender, strings.NewReplacer("HERE", witness.port, "PATH", path).Replace(tt.url))
				if got != want && (want != allowed || got == blocked || got == unknown) {
					t.Errorf("%s, want %s", got, want)
				}
				if arrived := witness.arrived("/" + path); arrived != (got == reached) {
					t.Errorf("arrived: %t, but %s", arrived, got)
				}
			})
		}
	}
}

// fateOf is what becomes of an attempt at the URL.
func fateOf(t *testing.T, s *Sender, url string) string {
	t.Helper()
	hook := anyHook(t, dispatchtest.HookRow(1, url))
	if hook.IsRefused() {
		return malformed
	}
	switch out := s.Send(t.Context(), hook, testMessage); out.Result {
	case Result2xx:
		return reached
	case ResultBlocked:
		return blocked
	case ResultDNS:
		return unknown
	default:
		return out.Result.String()
	}
}

// witness is a receiver on every address of this machine.
type witness struct {
	port string

	mu    sync.Mutex
	paths map[string]bool
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{port: port, paths: make(map[string]bool)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.paths[r.URL.Path] = true
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return w
}

func (w *witness) arrived(path string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paths[path]
}

// Of several addresses the forbidden ones are not tried, wherever they stand, and
// the others are.
func TestNameWithSeveralAddresses(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	dns := nameServer(map[string]string{
		"first.test": "127.0.0.2 127.0.0.1", "last.test": "127.0.0.1 127.0.0.2", "none.test": "127.0.0.2 127.0.0.3",
	})
	s := newTestSender(t, Options{Egress: mustEgress(t, "127.0.0.1/32"), Resolver: dns.resolver()})
	closed := strings.TrimPrefix(closedPort(t), "http://127.0.0.1")
	open := strings.TrimPrefix(receiver.URL, "http://127.0.0.1")
	for _, tt := range []struct {
		name, url string
		want      Result
	}{
		{"forbidden first", "http://first.test" + open, Result2xx},
		{"forbidden last", "http://last.test" + open, Result2xx},
		{"all forbidden", "http://none.test" + open, ResultBlocked},
		// To be tried again: the receiver may be back soon.
		{"forbidden first, the other one refuses", "http://first.test" + closed, ResultRefused},
		{"forbidden last, the other one refuses", "http://last.test" + closed, ResultRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, tt.url)), testMessage); out.Result != tt.want {
				t.Errorf("outcome %+v, want %s", out, tt.want)
			}
		})
	}
}

// A name that changes between two attempts is asked for again, and the address
// checked again, whenever a connection is made.
func TestRebinding(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	dns := nameServer(map[string]string{"rebind.test": "127.0.0.1|169.254.169.254|127.0.0.1"})
	s := newTestSender(t, Options{Resolver: dns.resolver()})
	hook := oneHook(t, dispatchtest.HookRow(1, strings.Replace(receiver.URL, "127.0.0.1", "rebind.test", 1)+"/h"))
	send := func(want Result, lookUps int) {
		t.Helper()
		if out := s.Send(t.Context(), hook, testMessage); out.Result != want {
			t.Errorf("outcome %+v, want %s", out, want)
		}
		if n := dns.lookUps("rebind.test"); n != lookUps {
			t.Errorf("%d look-ups, want %d", n, lookUps)
		}
	}
	send(Result2xx, 1)
	send(Result2xx, 1) // on the same connection: to the address that was checked
	s.Close()
	send(ResultBlocked, 2)
	send(Result2xx, 3)
	if n := len(receiver.Wait(t, "/h", 3)); n != 3 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestRedirectToAForbiddenAddressIsNotFollowed(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	s := newTestSender(t, Options{Timeout: 10 * time.Second})
	for _, location := range []string{"http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/", "//0.0.0.0/", "file:///etc/passwd", "/again"} {
		receiver.Script("/h", dispatchtest.Redirect(307, location))
		if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h")), testMessage); out.Result != Result3xx {
			t.Errorf("%s: outcome %+v", location, out)
		}
	}
	if n := len(receiver.Requests("/again")); n != 0 {
		t.Errorf("%d requests followed", n)
	}
}
