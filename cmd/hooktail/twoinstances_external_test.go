//go:build external && linux

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithShellTwoInstances types the steps of docs/how-to/two-instances.md on two
// machines, and reads the output: one leads and the other takes over.
func TestWithShellTwoInstances(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	proctest.SetUp(t, db)
	steps := regexp.MustCompile("(?ms)^   ```sh\n(.*?)^   ```$").FindAllStringSubmatch(readText(t, filepath.Join(repository, "docs/how-to/two-instances.md")), -1)
	if len(steps) != 3 {
		t.Fatalf("the how-to has %d steps, want 3", len(steps))
	}
	one := newMachine(t, db)
	one.types(t, steps[0][1])
	one.ready(t)
	other := newMachine(t, db)
	other.types(t, steps[0][1])
	other.ready(t)

	for _, c := range []struct {
		on   *machine
		role string
	}{{one, "leader"}, {other, "standby"}} {
		said := c.on.types(t, steps[1][1])
		if !strings.Contains(said, c.role+", ready") || strings.Contains(said, "not ready") {
			t.Errorf("the %s says:\n%s", c.role, said)
		}
	}
	if got := other.metric(t); got != "0" {
		t.Errorf("hooktail_leader of the standby is %s", got)
	}
	one.types(t, steps[2][1])
	proctest.WaitFor(t, func() error {
		if said := other.types(t, steps[1][1]); !strings.Contains(said, "leader, ready") || other.metric(t) != "1" {
			return fmt.Errorf("after the leader has stopped, the other says: %s", said)
		}
		return nil
	})
}

// machine has a file system and a service manager of its own: `install` and `systemctl`
// stand in for those of the machine that the test runs on, and read the real unit.
type machine struct {
	environ []string
	dir     string // where the commands are typed
	addr    string
	log     string // file
}

func newMachine(t *testing.T, db *cdctest.Database) *machine {
	t.Helper()
	root, dir, bin := t.TempDir(), t.TempDir(), t.TempDir()
	m := &machine{dir: dir, addr: freeAddress(t), log: filepath.Join(root, "log")}
	for name, text := range map[string]string{
		filepath.Join(dir, "hooktail"):     fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", proctest.Binary(t)),
		filepath.Join(dir, "database-url"): db.DSN,
		filepath.Join(bin, "install"):      "#!/bin/bash\nexec /usr/bin/install \"${@/#\\//$ROOT/}\"\n",
		filepath.Join(bin, "systemctl"):    serviceManager,
		filepath.Join(bin, "hooktail"):     "#!/bin/sh\nexec \"$ROOT/usr/local/bin/hooktail\" \"$@\"\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"usr/local/bin", "etc/systemd/system"} { // which each machine has
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	checkout, err := filepath.Abs(repository)
	if err == nil {
		err = os.Symlink(filepath.Join(checkout, "deploy"), filepath.Join(dir, "deploy"))
	}
	if err != nil {
		t.Fatal(err)
	}
	m.environ = append(os.Environ(), "ROOT="+root, "PATH="+bin+":"+os.Getenv("PATH"), "HOOKTAIL_HTTP_ADDR="+m.addr, "HOOKTAIL_SLOT="+db.Name)
	t.Cleanup(func() { m.types(t, "systemctl stop hooktail") })
	return m
}

// serviceManager does what systemd does with the unit's ExecStart, LoadCredential and
// Environment.
const serviceManager = `#!/bin/bash
set -e
unit=$ROOT/etc/systemd/system/hooktail.service
value() { sed -n "s/^$1=//p" "$unit"; }
case "$*" in
daemon-reload) ;;
"enable --now hooktail")
	mkdir "$ROOT/credentials"
	IFS=: read -r name path < <(value LoadCredential)
	cp "$ROOT$path" "$ROOT/credentials/$name"
	env "$(value Environment | sed "s|%t/credentials/%n|$ROOT/credentials|")" $ROOT$(value ExecStart) </dev/null >"$ROOT/log" 2>&1 &
	echo $! >"$ROOT/pid"
	;;
"stop hooktail")
	[[ -e $ROOT/pid ]] || exit 0
	kill "$(cat "$ROOT/pid")"
	while kill -0 "$(cat "$ROOT/pid")" 2>/dev/null; do read -rt 0.1 <> <(:) || :; done
	rm "$ROOT/pid"
	;;
*) echo "systemctl $*?"; exit 1 ;;
esac
`

// types runs the commands, and returns what they print.
func (m *machine) types(t *testing.T, commands string) string {
	t.Helper()
	commands = strings.ReplaceAll(strings.ReplaceAll(commands, "127.0.0.1:8484", m.addr), "=/etc", "=$ROOT/etc")
	cmd := exec.Command("bash", "-ec", commands)
	cmd.Dir, cmd.Env = m.dir, m.environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

func (m *machine) ready(t *testing.T) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		status, body := (&proctest.Program{Ops: m.addr}).Get(t, "/readyz")
		if status != http.StatusOK {
			log, _ := os.ReadFile(m.log) // there is none before it is started
			return fmt.Errorf("%s is not ready: %d %s\n%s", m.addr, status, body, log)
		}
		return nil
	})
}

// metric returns hooktail_leader.
func (m *machine) metric(t *testing.T) string {
	t.Helper()
	_, text := (&proctest.Program{Ops: m.addr}).Get(t, "/metrics")
	found := regexp.MustCompile(`(?m)^hooktail_leader (\d)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no hooktail_leader in %s", text)
	}
	return found[1]
}
