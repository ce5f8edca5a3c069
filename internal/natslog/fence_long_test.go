//go:build long

package natslog_test

import (
	"fmt"
	"testing"

	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestFenceOfThreeServers is TestFence in a cluster, which checks a message before it is replicated.
func TestFenceOfThreeServers(t *testing.T) {
	t.Parallel()
	for _, fenced := range []bool{true, false} {
		t.Run(fmt.Sprintf("fenced %t", fenced), func(t *testing.T) {
			t.Parallel()
			servers := natstest.StartCluster(t)
			testFence(t, servers.URL(), len(servers), fenced)
		})
	}
}
