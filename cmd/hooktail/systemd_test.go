package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/config"
)

// readUnit is the settings of deploy/hooktail.service: each name's values, in
// their order.
func readUnit(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/hooktail.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			unit[name] = append(unit[name], value)
		}
	}
	return unit
}

// TestUnitRunsTheProgram: its command, variables and exit codes are the program's,
// and it has the time to stop that it takes.
func TestUnitRunsTheProgram(t *testing.T) {
	t.Parallel()
	unit := readUnit(t)
	start := strings.Fields(unit["ExecStart"][0])
	if err := commandFault(start[1:]); err != nil {
		t.Errorf("%q: %v", start, err)
	}
	if want := fmt.Sprintf("%d %d", exitUsage, exitGap); unit["RestartPreventExitStatus"][0] != want {
		t.Errorf("RestartPreventExitStatus=%s, want %s: no restart mends a configuration or a gap", unit["RestartPreventExitStatus"][0], want)
	}
	// The specifiers of systemd 247, which has credentials: an older systemd passes one that
	// it does not know on as it is.
	runtime := t.TempDir()
	directory := filepath.Join(runtime, "credentials", "hooktail.service")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for _, variable := range unit["Environment"] {
		environ = append(environ, strings.NewReplacer("%t", runtime, "%n", "hooktail.service").Replace(variable))
	}
	for _, credential := range unit["LoadCredential"] {
		name, _, _ := strings.Cut(credential, ":")
		if err := os.WriteFile(filepath.Join(directory, name), []byte("postgres://127.0.0.1/none\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatalf("Environment=%q with LoadCredential=%q: %v", unit["Environment"], unit["LoadCredential"], err)
	}
	if stop, err := time.ParseDuration(unit["TimeoutStopSec"][0]); err != nil || stop <= cfg.Grace {
		t.Errorf("TimeoutStopSec=%s, a stop takes up to %s", unit["TimeoutStopSec"][0], cfg.Grace)
	}
	// A PostgreSQL on the same machine is reached by a Unix socket.
	if families := strings.Fields(unit["RestrictAddressFamilies"][0]); !slices.Contains(families, "AF_UNIX") {
		t.Errorf("RestrictAddressFamilies=%s is without AF_UNIX", families)
	}
}
