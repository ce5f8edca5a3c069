package send

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// swallow makes an address of this machine at which nothing answers, as behind a router
// that drops packets: its queue of connections is full.
func swallow(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	raw, err := listener.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var shrunk error
	if err := raw.Control(func(fd uintptr) { shrunk = syscall.Listen(int(fd), 0) }); err != nil || shrunk != nil {
		t.Fatal(err, shrunk)
	}
	const most = 10 // the system takes one or two
	for range most {
		dialer := net.Dialer{Timeout: 300 * time.Millisecond}
		conn, err := dialer.DialContext(t.Context(), "tcp", addr.String())
		if err != nil {
			return
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the queue of connections is never full")
}

// beside is another address of this machine with the same port as the URL.
func beside(t *testing.T, receiver, addr string) netip.AddrPort {
	t.Helper()
	u, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(addr), netip.MustParseAddrPort(u.Host).Port())
}

// named is the URL with a name for its address.
func named(receiver, name string) string { return strings.Replace(receiver, "127.0.0.1", name, 1) }

// TestFirstAddressSwallows: a name of which one address does not answer is delivered to,
// whatever the time-out, and soon the next time.
func TestFirstAddressSwallows(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	swallow(t, beside(t, receiver.URL, "127.0.0.2"))
	dns := nameServer(map[string]string{"hook.test": "127.0.0.2 127.0.0.1"})
	for _, timeout := range []time.Duration{time.Second, 1900 * time.Millisecond} {
		s := newTestSender(t, Options{Timeout: timeout, Resolver: dns.resolver()})
		hook := oneHook(t, dispatchtest.HookRow(1, named(receiver.URL, "hook.test")+"/h"))
		for range 4 {
			if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx || out.Contact != ContactMade {
				t.Errorf("time-out %s: outcome %+v", timeout, out)
			}
			s.Close()
		}
		order := s.transport.(*ownTransport).dialer.known.order([]netip.AddrPort{beside(t, receiver.URL, "127.0.0.2"), beside(t, receiver.URL, "127.0.0.1")}, time.Now())
		if order[1].Addr().String() != "127.0.0.2" {
			t.Errorf("the address that failed is not the last one: %v", order)
		}
	}
}

// TestAddressWithoutAnAnswer: an address that accepts the connection, and says nothing on
// it, goes last the next time; with TLS and without.
func TestAddressWithoutAnAnswer(t *testing.T) {
	plain, secure := dispatchtest.Receiver(t), secureServer(t, &tls.Config{})
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs // for example.com
	for _, url := range []string{plain.URL, secure.URL} {
		silent, err := net.Listen("tcp", beside(t, url, "127.0.0.2").String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { silent.Close() })
		dns := nameServer(map[string]string{"example.com": "127.0.0.2 127.0.0.1"})
		s := newTestSender(t, Options{Timeout: time.Second, Resolver: dns.resolver(), TLS: &tls.Config{RootCAs: roots}})
		hook := oneHook(t, dispatchtest.HookRow(1, named(url, "example.com")+"/h"))
		if out := s.Send(t.Context(), hook, testMessage); out.Result != ResultTimeout || out.Contact != ContactMade {
			t.Errorf("%s: first outcome %+v", url, out)
		}
		if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
			t.Errorf("%s: second outcome %+v", url, out)
		}
	}
}

// TestProxyAddressWithoutAnAnswer: the same holds for the addresses of a proxy, which is asked for the
// URL or for a tunnel.
func TestProxyAddressWithoutAnAnswer(t *testing.T) {
	plain, secure := dispatchtest.Receiver(t), secureServer(t, &tls.Config{})
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs // for example.com
	for scheme, receiver := range map[string]string{"http": plain.URL, "https": secure.URL} {
		proxy := newTestProxy(t, receiver)
		silent, err := net.Listen("tcp", beside(t, proxy.URL.String(), "127.0.0.2").String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { silent.Close() })
		dns := nameServer(map[string]string{"proxy.test": "127.0.0.2 127.0.0.1", "example.com": "10.0.0.7"})
		at := &url.URL{Scheme: "http", Host: named(proxy.URL.Host, "proxy.test")}
		s := newTestSender(t, Options{Timeout: time.Second, Resolver: dns.resolver(), TLS: &tls.Config{RootCAs: roots}, Proxy: http.ProxyURL(at)})
		hook := oneHook(t, dispatchtest.HookRow(1, scheme+"://example.com/h"))
		if out := s.Send(t.Context(), hook, testMessage); out.Result != ResultTimeout {
			t.Errorf("%s: first outcome %+v", scheme, out)
		}
		if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
			t.Errorf("%s: second outcome %+v", scheme, out)
		}
	}
}

// TestLostAnswersOfTheResolver: half an answer will do, and none at all is the
// resolver's fault.
func TestLostAnswersOfTheResolver(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	for _, tt := range []struct {
		name    string
		lost    []uint16
		want    Result
		contact Contact
	}{
		{"none", nil, Result2xx, ContactMade},
		{"AAAA", []uint16{typeAAAA}, Result2xx, ContactMade},
		{"A", []uint16{typeA}, ResultDNS, ContactNoResolver}, // the name has no other
		{"both", []uint16{typeA, typeAAAA}, ResultDNS, ContactNoResolver},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dns := nameServer(map[string]string{"hook.test": "127.0.0.1"})
			for _, kind := range tt.lost {
				dns.lose(t, kind, "hook.test")
			}
			proxy := newTestProxy(t, receiver.URL)
			for way, ask := range map[string]ProxyFunc{"directly": nil, "through a proxy": http.ProxyURL(proxy.URL)} {
				s := newTestSender(t, Options{Timeout: time.Second, Resolver: dns.resolver(), Proxy: ask})
				out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, named(receiver.URL, "hook.test")+"/h")), testMessage)
				if out.Result != tt.want || out.Contact != tt.contact || out.Host != "hook.test" {
					t.Errorf("%s: outcome %+v", way, out)
				}
				if out.Err != nil && out.Err.Error() != "look up hook.test: no answer from the resolver in time" {
					t.Errorf("%s: error %q", way, out.Err)
				}
			}
		})
	}
}

// TestProxyWithSeveralAddresses: the proxy is reached as a receiver is.
func TestProxyWithSeveralAddresses(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	proxy := newTestProxy(t, receiver.URL)
	swallow(t, beside(t, proxy.URL.String(), "127.0.0.2"))
	dns := nameServer(map[string]string{"proxy.test": "127.0.0.2 127.0.0.1", "hook.test": "192.0.2.7"})
	dns.lose(t, typeAAAA, "proxy.test")
	at := &url.URL{Scheme: "http", Host: named(proxy.URL.Host, "proxy.test")}
	s := newTestSender(t, Options{Timeout: time.Second, Egress: mustEgress(t, behindProxy), Resolver: dns.resolver(), Proxy: http.ProxyURL(at)})
	for range 2 {
		if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "http://hook.test/h")), testMessage); out.Result != Result2xx {
			t.Errorf("outcome %+v", out)
		}
		s.Close()
	}
}

// TestContacts: how far an attempt came, by what stands in its way.
func TestContacts(t *testing.T) {
	receiver, secure := dispatchtest.Receiver(t), secureServer(t, &tls.Config{})
	receiver.Script("/hang", dispatchtest.Hang())
	receiver.Script("/reset", dispatchtest.Reset())
	silent := beside(t, receiver.URL, "127.0.0.3")
	swallow(t, silent)
	dns := nameServer(map[string]string{"hook.test": "127.0.0.1"})
	refusing := newTestProxy(t, receiver.URL)
	for _, tt := range []struct {
		name, url string
		status    int // with which a proxy refuses; 0: there is no proxy
		result    Result
		contact   Contact
		addr      string
		says      string
	}{
		{"answers", receiver.URL, 0, Result2xx, ContactMade, "", ""},
		{"hangs", receiver.URL + "/hang", 0, ResultTimeout, ContactMade, "", "no answer in time"},
		{"resets", receiver.URL + "/reset", 0, ResultReset, ContactMade, "", "connection reset by peer"},
		{"is not trusted", secure.URL, 0, ResultTLS, ContactMade, "", "the receiver's certificate is signed by an unknown authority"},
		{"refuses", closedPort(t), 0, ResultRefused, ContactNone, "127.0.0.1", "connection refused"},
		{"swallows", "http://" + silent.String() + "/", 0, ResultTimeout, ContactNone, "127.0.0.3", "no answer in time from " + silent.String()},
		{"has no name", "http://no.test/", 0, ResultDNS, ContactNone, "", "look up no.test: no such host"},
		{"is forbidden", "http://169.254.169.254/", 0, ResultBlocked, ContactUnknown, "", "forbidden"},
		{"the proxy does not reach it", "https://hook.test/", 502, ResultRefused, ContactNone, "", "the proxy answered CONNECT with status 502"},
		{"the proxy will not", "https://hook.test/", 407, ResultRefused, ContactUnknown, "", "the proxy answered CONNECT with status 407"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Timeout: time.Second, Resolver: dns.resolver()}
			if refusing.refuses = tt.status; tt.status != 0 {
				o.Proxy = http.ProxyURL(refusing.URL)
			}
			out := newTestSender(t, o).Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, tt.url)), testMessage)
			addr := ""
			if out.Addr.IsValid() {
				addr = out.Addr.String()
			}
			if out.Result != tt.result || out.Contact != tt.contact || addr != tt.addr {
				t.Errorf("outcome %+v", out)
			}
			if tt.says != "" && (out.Err == nil || !strings.Contains(out.Err.Error(), tt.says)) {
				t.Errorf("error %v, want %q", out.Err, tt.says)
			}
		})
	}
}

// TestUsedConnectionProvesNothing: no answer on a connection of before may be due to our
// own network.
func TestUsedConnectionProvesNothing(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.Status(200), dispatchtest.Hang())
	s := newTestSender(t, Options{Timeout: 500 * time.Millisecond})
	hook := oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h"))
	for i, want := range []Contact{ContactMade, ContactUnknown} {
		if out := s.Send(t.Context(), hook, testMessage); out.Contact != want {
			t.Errorf("attempt %d: outcome %+v", i+1, out)
		}
	}
}

// TestConnectionClosedMeanwhile: a kept connection that the receiver closes as the request
// is written costs no attempt.
func TestConnectionClosedMeanwhile(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { // answers one request on each connection, and closes it at the next
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 64<<10)
			_, _ = conn.Read(buffer)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			_, _ = conn.Read(buffer[:1])
			conn.Close()
		}
	}()
	s := newTestSender(t, Options{Timeout: 10 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, "http://"+listener.Addr().String()+"/"))
	for range 5 {
		if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
			t.Errorf("outcome %+v", out)
		}
	}
}

func TestOwnFaults(t *testing.T) {
	four, six := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("[fd00::1]:80")
	for _, tt := range []struct {
		name string
		addr netip.AddrPort
		err  error
		own  bool
	}{
		{"descriptors", four, syscall.EMFILE, true},
		{"descriptors of the system", four, syscall.ENFILE, true},
		{"buffers", four, syscall.ENOBUFS, true},
		{"memory", four, syscall.ENOMEM, true},
		{"ports", four, syscall.EADDRNOTAVAIL, true},
		{"no IPv6", six, syscall.EADDRNOTAVAIL, false},
		{"no network", four, syscall.ENETUNREACH, false},
		{"no way", four, syscall.EHOSTUNREACH, false},
		{"firewall", four, syscall.EPERM, false},
		{"refused", four, syscall.ECONNREFUSED, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var known addresses
			more := make(chan []netip.AddrPort, 1)
			more <- []netip.AddrPort{tt.addr}
			close(more)
			r := race{known: &known, budget: time.Second, dial: func(context.Context, netip.AddrPort) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: tt.err}
			}}
			_, err := r.run(t.Context(), more)
			want := ContactNone
			if tt.own {
				want = ContactOwnFault
			}
			if got := contactOf(err, false); got != want || resultOfError(err) != ResultRefused {
				t.Errorf("contact %d, want %d; result %s", got, want, resultOfError(err))
			}
			if text := describe(err); strings.Contains(text, "this machine") != tt.own || !errors.Is(err, tt.err) {
				t.Errorf("described as %q", text)
			}
		})
	}
}
