package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hooktail/hooktail/config"
)

// TestManualIsComplete: a page for each command that a user can see, with every
// flag of it, and one that has every variable.
func TestManualIsComplete(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "man")
	if code, _, stderr := command(nil, "man", directory); code != exitDone {
		t.Fatalf("exit code = %d: %s", code, stderr)
	}
	want := []string{"hooktail-environment.7"}
	for _, c := range visibleCommands((&app{}).root()) {
		if c.IsAdditionalHelpTopicCommand() {
			continue
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		want = append(want, name)
		page := readText(t, filepath.Join(directory, name))
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, `\fB--`+f.Name+`\fP`) {
				t.Errorf("%s has no --%s", name, f.Name)
			}
		})
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// Cobra's own command has a page for each shell.
		if !slices.Contains(want, e.Name()) && !strings.HasPrefix(e.Name(), "hooktail-completion") {
			t.Errorf("%s: no such command", e.Name())
		}
	}
	variables := readText(t, filepath.Join(directory, "hooktail-environment.7"))
	for _, v := range config.Variables() {
		if !strings.Contains(variables, "\n"+v.Name+" ") {
			t.Errorf("hooktail-environment.7 has no %s at the beginning of a line", v.Name)
		}
	}
	again := t.TempDir()
	if code, _, stderr := command(nil, "man", again); code != exitDone {
		t.Fatalf("exit code = %d: %s", code, stderr)
	}
	if readText(t, filepath.Join(again, "hooktail-hooks.1")) != readText(t, filepath.Join(directory, "hooktail-hooks.1")) {
		t.Error("the same program writes other pages")
	}
}

// TestCompletionIsComplete: what a shell asks for is every command, and the
// scripts that ask are there for four shells.
func TestCompletionIsComplete(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, stdout, stderr := command(nil, "completion", shell); code != exitDone || !strings.Contains(stdout, "hooktail") {
			t.Errorf("%s: exit code = %d: %s", shell, code, stderr)
		}
	}
	for _, parent := range visibleCommands((&app{}).root()) {
		if !parent.HasSubCommands() {
			continue
		}
		path := strings.Fields(parent.CommandPath())[1:]
		_, stdout, _ := command(nil, slices.Concat([]string{"__complete"}, path, []string{""})...)
		for _, child := range parent.Commands() {
			if child.IsAvailableCommand() && !strings.Contains("\n"+stdout, "\n"+child.Name()+"\t") {
				t.Errorf("%q completes to %q, without %s", path, stdout, child.Name())
			}
		}
	}
}

// visibleCommands are all commands and topics of the tree that users see.
func visibleCommands(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			list = append(list, visibleCommands(child)...)
		}
	}
	return list
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
