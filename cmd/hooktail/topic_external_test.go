//go:build external && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithPythonHowToTopic runs the Python program of docs/how-to/topic.md, with nats-py from
// the package index: it gets each event once, also over its own kill.
func TestWithPythonHowToTopic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeAll(t, dir, map[string]string{"subscriber.py": howToCode(t, "topic", "python")})
	said(t, exec.Command("python3", "-m", "pip", "install", "--quiet", "--target", filepath.Join(dir, "packages"), "nats-py==2.16.0"))
	db, _, server, variables := publishing(t)
	start(t, db, variables...)
	environ := append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "packages"), "NATS_URL="+server.URL(), "TOPIC_STREAM=HOOKTAIL_"+db.Name+"_TOPIC")
	var want []string
	for range 2 {
		cmd := exec.Command("python3", "subscriber.py")
		output := proctest.NewOutput()
		cmd.Dir, cmd.Env, cmd.Stderr = dir, environ, output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		want = append(want, db.QueryText(t, annotate, 7), db.QueryText(t, annotate, 8))
		proctest.WaitFor(t, func() error {
			got := strings.Fields(said(t, query(dir)))
			if strings.Join(got, " ") != strings.Join(want, " ") {
				return fmt.Errorf("annotations %v, want %v:\n%s", got, want, output)
			}
			return nil
		})
		_ = cmd.Process.Kill() // it has not ended by itself
		_ = cmd.Wait()
	}
}

// query prints the annotations that the program has stored.
func query(dir string) *exec.Cmd {
	cmd := exec.Command("python3", "-c", `
import os, sqlite3
if os.path.exists("annotations.db"):
    db = sqlite3.connect("annotations.db", timeout=10)
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'annotations'").fetchone():
        for row in db.execute("SELECT annotation FROM annotations ORDER BY rowid"):
            print(*row)
`)
	cmd.Dir = dir
	return cmd
}
