package natstest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nodes is the number of servers of a cluster.
const nodes = 3

// Cluster is three servers in this process.
type Cluster []*Server

// StartCluster starts a cluster, which ends with the test, and waits until it answers.
func StartCluster(t testing.TB) Cluster {
	t.Helper()
	var c Cluster
	for _, n := range newNodes(t) {
		s := &Server{Dir: n.Dir, Port: n.Port, t: t, options: n.join}
		s.Start()
		t.Cleanup(s.Stop)
		c = append(c, s)
	}
	awaitCluster(t, c.URL())
	return c
}

// URL is where the servers listen.
func (c Cluster) URL() string {
	urls := make([]string, len(c))
	for i, s := range c {
		urls[i] = s.URL()
	}
	return strings.Join(urls, ",")
}

// Start starts all servers again, and waits until they answer.
func (c Cluster) Start() {
	for _, s := range c {
		s.Start()
	}
	awaitCluster(c[0].t, c.URL())
}

// Stop ends all servers.
func (c Cluster) Stop() {
	for _, s := range c {
		s.Stop()
	}
}

// CutBack replaces each server's store by its copy. The servers must be stopped.
func (c Cluster) CutBack(copied []string) {
	for i, s := range c {
		s.CutBack(copied[i])
	}
}

// node is one server of a cluster.
type node struct {
	Name, Dir     string
	Port, Cluster int    // ports for clients and for the other servers
	Routes        string // to all servers, separated by commas
}

func newNodes(t testing.TB) []node {
	t.Helper()
	all := make([]node, nodes)
	routes := make([]string, nodes)
	for i := range all {
		all[i] = node{Name: fmt.Sprintf("node-%d", i), Dir: t.TempDir(), Port: freePort(t), Cluster: freePort(t)}
		routes[i] = fmt.Sprintf("nats://127.0.0.1:%d", all[i].Cluster)
	}
	for i := range all {
		all[i].Routes = strings.Join(routes, ",")
	}
	return all
}

// join makes a server one of the cluster.
func (n node) join(o *server.Options) {
	o.ServerName = n.Name
	o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: n.Cluster}
	o.Routes = server.RoutesFromStr(n.Routes)
}

// awaitCluster waits until the servers have elected a leader.
func awaitCluster(t testing.TB, servers string) {
	t.Helper()
	js := Client(t, servers)
	deadline := time.Now().Add(time.Minute)
	for {
		within, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := js.AccountInfo(within)
		cancel()
		switch {
		case err == nil:
			return
		case time.Now().After(deadline):
			t.Fatalf("the cluster does not answer: %v", err)
		}
		<-time.After(50 * time.Millisecond)
	}
}
