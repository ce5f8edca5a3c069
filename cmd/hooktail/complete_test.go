package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCompletionOfWords: ids of hooks and events come from the database, actions and
// states from the program.
func TestCompletionOfWords(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	storeDeliveries(t, db)
	db.Exec(t, "UPDATE webhook SET url = 'https://hooks.example.com/secret' WHERE id = 2")
	environ := proctest.RoleEnviron(db)
	for line, want := range map[string][]string{
		"hooks show|":                           {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
		"hooks pause 1 2 10|":                   {"3", "4", "5", "6", "7", "8", "9"},
		"hooks ping 1|":                         nil, // takes one
		"hooks secret rotate|":                  {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
		"deliveries list --hook|":               {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
		"deliveries list --state|":              {"parked", "dead"},
		"backfill --action|":                    {"PROJECT_CREATED", "TASK_CREATED", "ANNOTATION_CREATED", "TASKS_CREATED"},
		"backfill --hook 1 --project 1 --hook|": {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
		"setup --identity|":                     {"full", "default"},
		"status|":                               nil,
	} {
		words, _, _ := strings.Cut(line, "|")
		got, about := completions(environ, strings.Fields(words)...)
		if !slices.Equal(got, want) {
			t.Errorf("%s completes to %q, want %q", line, got, want)
		}
		if strings.Contains(about, "secret") {
			t.Errorf("%s shows a path: %s", line, about)
		}
	}
	for _, line := range []string{"deliveries show", "deliveries redrive", "deliveries discard"} {
		if events, _ := completions(environ, strings.Fields(line)...); !slices.Contains(events, eventText+"3") {
			t.Errorf("%s completes to %q", line, events)
		}
	}
	if actions, _ := completions(environ, "deliveries", "list", "--action"); !slices.Contains(actions, "ANNOTATIONS_DELETED") || !slices.Contains(actions, "TASKS_CREATED") {
		t.Errorf("actions: %q", actions)
	}
}

// TestCompletionWithoutADatabase offers nothing, and takes no long time.
func TestCompletionWithoutADatabase(t *testing.T) {
	t.Parallel()
	for _, environ := range [][]string{nil, {"HOOKTAIL_DATABASE_URL=postgres://127.0.0.1:1/none"}, {"HOOKTAIL_DATABASE_URL=nonsense"}} {
		if got, about := completions(environ, "hooks", "show"); len(got) > 0 {
			t.Errorf("%q: %s", got, about)
		}
	}
}

// completions is what a shell is offered after the words, without and with descriptions.
func completions(environ []string, words ...string) (offers []string, whole string) {
	_, stdout, _ := command(environ, slices.Concat([]string{cobra.ShellCompRequestCmd}, words, []string{""})...)
	for line := range strings.Lines(stdout) {
		if !strings.HasPrefix(line, ":") {
			value, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			offers = append(offers, value)
		}
	}
	return offers, stdout
}

// TestEveryChoiceCompletes: whatever names a hook, an event, an action or a state can be
// completed, in every command.
func TestEveryChoiceCompletes(t *testing.T) {
	t.Parallel()
	for path, cmd := range everyPath(t) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, completes := cmd.GetFlagCompletionFunc(f.Name)
			if slices.Contains([]string{"hook", "action", "state", "identity"}, f.Name) && !completes {
				t.Errorf("hooktail %s --%s does not complete", path, f.Name)
			}
		})
		if !cmd.HasSubCommands() && cmd.ValidArgsFunction == nil {
			t.Errorf("hooktail %s completes to files", path)
		}
	}
}
