package dispatch

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// scene is one outcome that the network observes, and its expected answer.
type scene struct {
	after   time.Duration // since the begin
	host    string
	contact send.Contact
	excused bool
}

// TestOutage: attempts during an outage of our own network are excused, others are not.
func TestOutage(t *testing.T) {
	const minute = time.Minute
	for _, tt := range []struct {
		name   string
		scenes []scene
		lost   time.Duration // up to the last scene
	}{
		{"one host, ever so often", []scene{
			{0, "a 10.0.0.1", send.ContactNone, false},
			{minute, "a 10.0.0.1", send.ContactNone, false},
			{2 * minute, "a 10.0.0.2", send.ContactNone, false},
			{3 * minute, "a 10.0.0.3", send.ContactNone, false},
		}, 0},
		{"two hosts", []scene{
			{0, "a 10.0.0.1", send.ContactNone, false},
			{minute, "b 10.0.0.2", send.ContactNone, false},
			{2 * minute, "a 10.0.0.1", send.ContactNone, false},
		}, 0},
		{"three names at one address", []scene{
			{0, "a 10.0.0.1", send.ContactNone, false},
			{0, "b 10.0.0.1", send.ContactNone, false},
			{0, "c 10.0.0.1", send.ContactNone, false},
		}, 0},
		{"three hosts", []scene{
			{0, "a 10.0.0.1", send.ContactNone, false},
			{0, "b 10.0.0.2", send.ContactNone, false},
			{0, "c 10.0.0.3", send.ContactNone, true},
			{minute, "a 10.0.0.1", send.ContactNone, true},
		}, minute},
		{"three hosts whose addresses are not known", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
		}, 0},
		{"one of them was reached between", []scene{
			{0, "a 10.0.0.1", send.ContactNone, false},
			{0, "b 10.0.0.2", send.ContactNone, false},
			{0, "d 10.0.0.4", send.ContactMade, false},
			{0, "c 10.0.0.3", send.ContactNone, false},
			{0, "a 10.0.0.1", send.ContactNone, false},
			{0, "b 10.0.0.2", send.ContactNone, true},
		}, 0},
		{"ends when anybody is reached", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
			{3 * minute, "d", send.ContactMade, false},
			{4 * minute, "a", send.ContactNone, false},
		}, 3 * minute},
		{"ends after 15 minutes, for good", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
			{14 * minute, "a", send.ContactNone, true},
			{15 * minute, "a", send.ContactNone, false},
			{16 * minute, "d", send.ContactNone, false},
			{16 * minute, "e", send.ContactNone, false},
			{16 * minute, "f", send.ContactNone, false},
			{16 * minute, "f", send.ContactNoResolver, false},
		}, 15 * minute},
		{"hosts that were down before are no sign", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
			{20 * minute, "d", send.ContactMade, false},
			{20 * minute, "a", send.ContactNone, false},
			{20 * minute, "b", send.ContactNone, false},
			{20 * minute, "c", send.ContactNone, false},
		}, 15 * minute},
		{"hosts that were reached again are a sign again", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
			{20 * minute, "a", send.ContactMade, false},
			{20 * minute, "b", send.ContactMade, false},
			{20 * minute, "c", send.ContactMade, false},
			{30 * minute, "a", send.ContactNone, false},
			{30 * minute, "b", send.ContactNone, false},
			{30 * minute, "c", send.ContactNone, true},
			{35 * minute, "c", send.ContactNone, true},
		}, 20 * minute},
		{"the resolver alone", []scene{
			{0, "a", send.ContactNoResolver, true},
			{minute, "a", send.ContactNoResolver, true},
			{15 * minute, "a", send.ContactNoResolver, false},
		}, 15 * minute},
		{"a name that nobody can resolve, while others are reached", []scene{
			{0, "a", send.ContactNoResolver, true},
			{minute, "b", send.ContactMade, false},
			{14 * minute, "a", send.ContactNoResolver, true},
			{14 * minute, "b", send.ContactMade, false},
			{16 * minute, "a", send.ContactNoResolver, false},
		}, minute},
		{"our own machine, for ever", []scene{
			{0, "a", send.ContactOwnFault, true},
			{100 * time.Hour, "a", send.ContactOwnFault, true},
		}, 0},
		{"what tells nothing", []scene{
			{0, "a", send.ContactUnknown, false},
			{0, "b", send.ContactUnknown, false},
			{0, "c", send.ContactUnknown, false},
			{0, "d", send.ContactUnknown, false},
		}, 0},
		{"what tells nothing, in an outage", []scene{
			{0, "a", send.ContactNone, false},
			{0, "b", send.ContactNone, false},
			{0, "c", send.ContactNone, true},
			{0, "d", send.ContactUnknown, true},
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n network
			begin := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			var now time.Time
			for i, s := range tt.scenes {
				now = begin.Add(s.after)
				host, addr := s.host[:1], netip.Addr{}
				if len(s.host) > 2 {
					addr = netip.MustParseAddr(s.host[2:])
				}
				if got := n.observe(send.Outcome{Host: host, Addr: addr, Contact: s.contact}, now); got != s.excused {
					t.Errorf("scene %d: excused %t, want %t", i, got, s.excused)
				}
			}
			if lost := n.lost(now); lost != tt.lost {
				t.Errorf("lost %s, want %s", lost, tt.lost)
			}
		})
	}
}

// TestHostsInBoundedSpace: the number of remembered hosts is bounded.
func TestHostsInBoundedSpace(t *testing.T) {
	var n network
	now := time.Unix(1_000_000_000, 0)
	for i := range 3 * mostHosts {
		n.observe(send.Outcome{Host: ids(i, i)[0], Contact: send.ContactNone}, now)
	}
	if len(n.failing) > mostHosts || len(n.signs) > mostHosts {
		t.Errorf("%d and %d hosts are remembered", len(n.failing), len(n.signs))
	}
}

// TestOwnNetworkGone: while three hosts are unreachable, neither attempts nor time count,
// for a limited time.
func TestOwnNetworkGone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		outage time.Duration // until one of the hosts answers again
		died   bool
	}{
		{"short", 14 * time.Minute, false},
		{"too long to be one", 40 * time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				answers := newStatuses(refused, "h1", "h2", "h3")
				b := newBench(t, Options{Store: store, Retry: Policy{MaxAttempts: 3, RetryFor: 5 * time.Minute}}, answers.round, hostRow(1), hostRow(2), hostRow(3))
				for hook := range 3 {
					b.enqueue(t, int64(hook+1), hook, 1)
				}
				time.Sleep(tt.outage) //nolint:forbidigo // of the bubble
				answers.set("h1", 200)
				time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
				synctest.Wait()
				if died := len(store.list(1, state.Dead)) == 1; died != tt.died || len(store.list(1, state.Parked)) != 0 {
					t.Errorf("dead: %t, want %t", died, tt.died)
				}
				for hook := int64(2); hook <= 3; hook++ {
					if len(store.list(hook, state.Dead)) != 1 {
						t.Errorf("the attempts at hook %d do not count again", hook)
					}
				}
			})
		})
	}
}

// TestOutageTakesNoAttemptsAfterARestart: attempts in an outage of our own network do not
// count after a restart either.
func TestOutageTakesNoAttemptsAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const attempts = 3
		store, answers := newFakeStore(), newStatuses(refused, "h1", "h2", "h3")
		o := Options{Store: store, Retry: Policy{MaxAttempts: attempts}}
		b := newBench(t, o, answers.round, hostRow(1), hostRow(2), hostRow(3))
		for hook := range 3 {
			b.enqueue(t, int64(hook+1), hook, 1)
		}
		<-time.After(10 * time.Minute)
		b.Close()
		var failed atomic.Int32
		b = newBench(t, o, func(*http.Request) (*http.Response, error) {
			if failed.Add(1) < 3*attempts { // of three hooks
				return dispatchtest.Answer(503), nil
			}
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2), hostRow(3))
		backlogs, _ := store.backlogs(t.Context())
		b.Restore(backlogs, nil)
		<-time.After(time.Hour)
		synctest.Wait()
		if n := failed.Load(); n < 3*attempts-1 {
			t.Errorf("%d attempts after the restart; left: %d rows", n, store.size())
		}
	})
}

// TestTwoHooksAreNoOutage: failures of two hooks count against HOOKTAIL_MAX_ATTEMPTS.
func TestTwoHooksAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, Retry: Policy{MaxAttempts: 3}}, newStatuses(refused, "h1", "h2").round, hostRow(1), hostRow(2))
		b.enqueue(t, 1, 1, 1)
		b.enqueue(t, 2, 2, 1)
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if len(store.list(1, state.Dead)) != 1 || len(store.list(2, state.Dead)) != 1 {
			t.Errorf("%d and %d are dead", len(store.list(1, state.Dead)), len(store.list(2, state.Dead)))
		}
	})
}

// TestOutageKillsNothing: if events have one attempt, an outage of our own network kills no
// event that was attempted before the outage could be recognised. If there is no outage,
// the event is dead after one attempt, within seconds.
func TestOutageKillsNothing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hosts  []string // that are not reached
		store  bool
		outage bool
	}{
		{"three hosts, stored", []string{"h1", "h2", "h3"}, true, true},
		{"three hosts, in memory", []string{"h1", "h2", "h3"}, false, true},
		{"two of four hosts", []string{"h1", "h2"}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers, calls := newStatuses(refused, tt.hosts...), newCalls()
				store, o := newFakeStore(), Options{Retry: Policy{MaxAttempts: 1}, Metrics: NewMetrics(nil)}
				if tt.store {
					o.Store = store
				}
				b := newBench(t, o, func(r *http.Request) (*http.Response, error) {
					calls.note(r)
					return answers.round(r)
				}, hostRow(1), hostRow(2), hostRow(3), hostRow(4))
				const events = 5 // for each hook that is not reached
				dead := func() (n float64) {
					for hook := range tt.hosts {
						n += o.Metrics.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", strconv.Itoa(hook+1), "dead")
					}
					return n
				}
				for hook := range tt.hosts {
					for n := range events {
						b.enqueue(t, int64(hook+1), hook*events+n, n%3+1)
					}
					time.Sleep(time.Second) //nolint:forbidigo // of the bubble
				}
				time.Sleep(30 * time.Second) //nolint:forbidigo // of the bubble
				synctest.Wait()
				all := events * len(tt.hosts)
				if !tt.outage {
					if len(calls.all()) != all || int(dead()) != all || len(store.list(1, state.Dead)) != events {
						t.Errorf("%d attempts, %v dead, want %d", len(calls.all()), dead(), all)
					}
					if s := b.log.String(); strings.Count(s, "Webhook failed for good: the delivery is dead") != all {
						t.Errorf("log:\n%s", s)
					}
					return
				}
				if n := dead(); n != 0 {
					t.Errorf("%v are dead", n)
				}
				for _, host := range tt.hosts {
					answers.set(host, 200)
				}
				time.Sleep(2 * time.Minute) //nolint:forbidigo // of the bubble
				synctest.Wait()
				if n := dead(); n != 0 || len(b.finished()) != all || store.size() != 0 {
					t.Errorf("%v are dead, %d of %d finished, %d stored", n, len(b.finished()), all, store.size())
				}
			})
		})
	}
}

// TestProxyGone: a proxy that cannot be reached is an outage of our own network, although it is at one
// address, whatever the receivers behind it. An event that has one attempt survives it.
func TestProxyGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	listener.Close()
	internal, err := send.ParseEgress("internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https"} {
		sender := send.New(send.Options{Egress: internal, Proxy: http.ProxyURL(proxy), Timeout: 20 * time.Second})
		t.Cleanup(sender.Close)
		var n network
		excused := false
		for host := 1; host <= fewestHosts; host++ {
			row := dispatchtest.HookRow(int64(host), fmt.Sprintf("%s://10.0.0.%d/", scheme, host))
			to, _ := newTestHooks(t, row).Hook(int64(host))
			excused = n.observe(sender.Send(t.Context(), to, send.Message{}), time.Now())
		}
		if !excused {
			t.Errorf("%s: the receivers are to blame", scheme)
		}
	}
}

// TestOutageOnUsedConnections: a time-out on an existing connection alone is no sign of an
// outage; the attempts that follow are.
func TestOutageOnUsedConnections(t *testing.T) {
	var n network
	now := time.Unix(1_000_000_000, 0)
	unclear := func(host string) (spared bool) {
		now = now.Add(time.Second)
		return n.observe(send.Outcome{Host: host, Result: send.ResultTimeout, Contact: send.ContactUnknown}, now)
	}
	n.observe(send.Outcome{Host: "d", Contact: send.ContactMade}, now)
	if unclear("a") {
		t.Error("one request was excused")
	}
	failed := now
	until, open := n.isOpen("a", now)
	if !open || until.Sub(now) != decideWithin {
		t.Errorf("decided %t, in %s", !open, until.Sub(now))
	}
	if n.wasGone(failed) {
		t.Error("an outage, of one host")
	}
	for _, host := range []string{"a", "b", "c"} {
		now = now.Add(time.Second)
		n.observe(send.Outcome{Host: host, Contact: send.ContactNone}, now)
	}
	if _, open := n.isOpen("a", now); open || !n.wasGone(failed) {
		t.Error("the outage is not known")
	}
	n.observe(send.Outcome{Host: "d", Contact: send.ContactMade}, now.Add(time.Second))
	if !n.wasGone(failed) || n.wasGone(now.Add(2*time.Second)) {
		t.Error("the outage that has ended has other bounds")
	}
}

// TestNameThatIsNotAnswered: each time that a name cannot be looked up looks like a short
// outage of the resolver. It does not hasten what other receivers have refused.
func TestNameThatIsNotAnswered(t *testing.T) {
	attempts := func(fault *net.DNSError) map[string]int {
		n := make(map[string]int)
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			answers := newStatuses(503, "h2", "h3")
			b := newBench(t, Options{Store: newFakeStore()}, func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				n[r.URL.Host]++
				mu.Unlock()
				if r.URL.Host == "h1" {
					return nil, fault
				}
				return answers.round(r)
			}, hostRow(1), hostRow(2), hostRow(3), hostRow(4))
			for i := range 10 {
				b.enqueue(t, 1, i, i+1)
				b.enqueue(t, 2, i, i+1)
			}
			b.enqueue(t, 3, 1, 1)
			for i := range 14 * 60 * 2 {
				b.enqueue(t, 4, i, i+1)
				<-time.After(500 * time.Millisecond)
			}
		})
		return n
	}
	unknown := attempts(&net.DNSError{Err: "no such host", Name: "h1", IsNotFound: true})
	unanswered := attempts(&net.DNSError{Err: "server misbehaving", Name: "h1", IsTemporary: true})
	for _, host := range []string{"h2", "h3"} {
		if unanswered[host] > unknown[host]*3/2 {
			t.Errorf("%s: %d attempts, %d if the name does not exist", host, unanswered[host], unknown[host])
		}
	}
	if unanswered["h1"] <= unknown["h1"] {
		t.Errorf("h1: %d attempts, no more than %d", unanswered["h1"], unknown["h1"])
	}
}
