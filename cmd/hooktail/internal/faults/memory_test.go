package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// peak is the most memory that the process has had so far, in bytes: VmHWM.
func peak(t testing.TB, p *proctest.Program) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatalf("read the program's memory: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatalf("read the program's memory: %v", err)
	}
	return kB << 10
}
