package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// everyPath is the words of every command that users see, without the program's name.
func everyPath(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	paths := map[string]*cobra.Command{}
	for _, cmd := range visibleCommands((&app{}).root()) {
		if cmd.IsAdditionalHelpTopicCommand() {
			continue
		}
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		paths[path] = cmd
	}
	if len(paths) < 30 {
		t.Fatalf("only %d commands were found: the search is broken", len(paths))
	}
	return paths
}

// TestMisspeltCommands: at every level a misspelt command, and one in `help`, ends with
// 2 and the name of the one that was meant.
func TestMisspeltCommands(t *testing.T) {
	t.Parallel()
	for path, cmd := range everyPath(t) {
		if path == "" {
			continue
		}
		words := strings.Fields(path)
		last := words[len(words)-1]
		parent := words[:len(words)-1]
		for _, misspelt := range []string{last[:len(last)-1], last + "x", last[:1] + last[2:3] + last[1:2] + last[3:], strings.ToUpper(last)} {
			if cmd.Parent() != nil && slices.ContainsFunc(cmd.Parent().Commands(), func(c *cobra.Command) bool { return c.Name() == misspelt }) {
				continue
			}
			for _, line := range [][]string{append(slices.Clone(parent), misspelt), append(append([]string{"help"}, parent...), misspelt)} {
				code, stdout, stderr := command(nil, line...)
				if code != exitUsage || stdout != "" || !strings.Contains(stderr, "`"+cmd.CommandPath()+"`") {
					t.Errorf("hooktail %s: exit code %d, without %q: %s%s", strings.Join(line, " "), code, cmd.CommandPath(), stdout, stderr)
				}
			}
		}
	}
}

// TestUnknownCommandsAndFlags: what is near to nothing ends with 2 and the choice, and
// a misspelt flag with the one that was meant.
func TestUnknownCommandsAndFlags(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"zzzzzz":                          "status",
		"hooks zzzzzz":                    "list",
		"hooks secret zzzzzz":             "rotate",
		"help zzzzzz":                     "status",
		"completion zzzzzz":               "fish",
		"hooks list --jsn":                "--json",
		"deliveries list --hok 3":         "--hook",
		"run --zzzzzz":                    "hooktail run --help",
		"status -z":                       "unknown shorthand flag",
		"man":                             "one directory",
		"version more":                    "takes no argument",
		"deliveries list --limit several": "--limit",

		"deliveries list --action annotation_created": "did you mean ANNOTATION_CREATED?",
		"deliveries redrive --hook 0 --since 1h":      "--hook=0",
		"receiver --addr x":                           "host:port",
		"receiver --addr :99999":                      "host:port",
		"healthcheck --url 127.0.0.1:8484/readyz":     "http://",
		"healthcheck --url ftp://127.0.0.1/readyz":    "http://",
		"demo --receiver http://127.0.0.1:99999/hook": "port from 1 to 65535",
		"demo --receiver ://user:pass@host/secret":    "hooktail: --receiver: url",
		"backfill --action annotation_created":        "or TASKS_CREATED",
		"tail --format xml":                           "cloudevents-structured",
	} {
		if code, stdout, stderr := command(nil, strings.Fields(line)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("hooktail %s: exit code %d, want %q: %s%s", line, code, want, stdout, stderr)
		}
	}
}

// TestGroupsShowTheirHelp: a command that only has subcommands shows them.
func TestGroupsShowTheirHelp(t *testing.T) {
	t.Parallel()
	for path, cmd := range everyPath(t) {
		if path == "" || !cmd.HasSubCommands() {
			continue
		}
		code, stdout, stderr := command(nil, strings.Fields(path)...)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, "Available Commands") {
			t.Errorf("hooktail %s: exit code %d: %s%s", path, code, stdout, stderr)
		}
	}
}

// TestEveryHelpHasExamples, which are command lines that there are, of that command.
func TestEveryHelpHasExamples(t *testing.T) {
	t.Parallel()
	for path, cmd := range everyPath(t) {
		code, stdout, stderr := command(nil, append(strings.Fields(path), "--help")...)
		if code != exitDone || !strings.Contains(stdout, "\nExamples:\n") {
			t.Errorf("hooktail %s --help: exit code %d, without examples: %s", path, code, stderr)
		}
		for line := range strings.Lines(cmd.Example) {
			found := typed.FindStringSubmatch(strings.ReplaceAll(line, "<(", "("))
			if found == nil {
				t.Errorf("%q is no example of hooktail %s", line, path)
				continue
			}
			args := exampleArgs(strings.TrimSuffix(strings.TrimSpace(found[1]), ")"))
			if err := commandFault(args); err != nil {
				t.Errorf("hooktail %s: %q: %v", path, line, err)
			}
			if words := strings.Fields(path); !slices.Equal(args[:min(len(words), len(args))], words) {
				t.Errorf("hooktail %s has an example of another command: %q", path, line)
			}
		}
	}
	for path := range examples() {
		if cmd, rest, err := (&app{}).root().Find(strings.Fields(path)); err != nil || len(rest) > 0 {
			t.Errorf("examples of no command: %q (%v)", path, cmd)
		}
	}
}

// printsNoFacts are the commands without --json: those that change something and say
// what they have done, or whose output has a form of its own.
var printsNoFacts = map[string]string{
	"":                      "runs, and logs as HOOKTAIL_LOG_FORMAT says",
	"run":                   "logs as HOOKTAIL_LOG_FORMAT says",
	"setup":                 "prints the SQL that it runs",
	"teardown":              "prints the SQL that it runs",
	"tail":                  "prints JSON lines",
	"demo":                  "is for people to watch",
	"healthcheck":           "answers by its exit code",
	"help":                  "is text",
	"completion bash":       "is a script",
	"completion zsh":        "is a script",
	"completion fish":       "is a script",
	"completion powershell": "is a script",
	"hooks adopt":           "says what it has done",
	"hooks release":         "says what it has done",
	"hooks pause":           "says what it has done",
	"hooks resume":          "says what it has done",
	"hooks retry":           "says what it has done",
	"hooks secret set":      "prints the secret alone",
	"hooks secret rotate":   "prints the secret alone",
	"hooks secret remove":   "says what it has done",
}

// TestFactsAreThereAsJSON: every command that prints facts has --json.
func TestFactsAreThereAsJSON(t *testing.T) {
	t.Parallel()
	for path, cmd := range everyPath(t) {
		if cmd.HasSubCommands() && path != "" {
			continue
		}
		has := cmd.Flags().Lookup("json") != nil
		if reason, none := printsNoFacts[path]; has == none {
			t.Errorf("hooktail %s: --json is there: %t, %q", path, has, reason)
		}
	}
}
