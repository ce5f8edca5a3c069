package main

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// eventsDoc shows one payload of each action.
const eventsDoc = "../../docs/events.md"

// documents are the texts that people read, by their paths from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "testdata/labelstudio/README.md"}
	for _, folder := range []string{"docs", "docs/how-to"} {
		entries, err := filepath.Glob(filepath.Join(repository, folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			paths = append(paths, folder+"/"+filepath.Base(entry))
		}
	}
	texts := map[string]string{}
	for _, path := range paths {
		texts[path] = readText(t, filepath.Join(repository, path))
	}
	return texts
}

var (
	fence = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	link  = regexp.MustCompile(`(?:\[[^\]]*\]\(|\b(?:src|srcset)=")([^)"\s]+)[)"]`)
	title = regexp.MustCompile(`(?m)^#+ +(.+)$`)
)

// TestLinksLead: every link of a document leads to a file or a heading that is
// there, or is a whole URL, and every document is reached from README.md.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	leads := map[string][]string{} // document → documents
	for path, text := range texts {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if u, err := url.Parse(m[1]); err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
			} else if u.Scheme != "" {
				if u.Scheme != "https" || !strings.Contains(u.Host, ".") {
					t.Errorf("%s: %s is not a public https URL", path, m[1])
				}
				continue
			}
			file := path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(filepath.Join(repository, file)); err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
				continue
			}
			leads[path] = append(leads[path], file)
			if other, known := texts[file]; anchor != "" && (!known || !slices.Contains(anchors(other), anchor)) {
				t.Errorf("%s: %s has no heading #%s", path, file, anchor)
			}
		}
	}
	reached := map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		if reached[path] {
			return
		}
		reached[path] = true
		for _, next := range leads[path] {
			walk(next)
		}
	}
	walk("README.md")
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if !reached[path] {
			t.Errorf("no way leads from README.md to %s", path)
		}
		if strings.HasPrefix(path, "docs/") && path != "docs/README.md" && !slices.Contains(leads["docs/README.md"], path) {
			t.Errorf("docs/README.md does not list %s", path)
		}
	}
}

// TestDependenciesHaveReasons: CONTRIBUTING.md gives the reason for each module that go.mod
// requires directly.
func TestDependenciesHaveReasons(t *testing.T) {
	t.Parallel()
	table := readText(t, filepath.Join(repository, "CONTRIBUTING.md"))
	required := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(readText(t, filepath.Join(repository, "go.mod")), -1)
	if len(required) < 20 {
		t.Errorf("%d direct requirements were found in go.mod", len(required))
	}
	for _, m := range required {
		if !strings.Contains(table, "`"+m[1]+"`") {
			t.Errorf("CONTRIBUTING.md has no reason for %s", m[1])
		}
	}
}

// anchors are the ids that a Markdown viewer gives to the headings: lower case,
// without punctuation, with hyphens for blanks.
func anchors(text string) []string {
	var ids []string
	for _, m := range title.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		id := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1])
		ids = append(ids, id)
	}
	return ids
}

var (
	shell   = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")
	comment = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	inline  = regexp.MustCompile("`(hooktail [a-z][^`]*)`")
	typed   = regexp.MustCompile(`(?m)(?:^|[\s|;(])(?:/?hooktail|go run \./cmd/hooktail) +([a-z][^|;&>#\n]*)`)
)

// TestDocumentedCommandsExist: what the documents, docker-compose.yml and the unit
// tell people to type is a command with flags that there are.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	texts := documents(t)
	delete(texts, "CHANGELOG.md")
	count := 0
	check := func(path, text string, fault func([]string) error) {
		for _, m := range typed.FindAllStringSubmatch(text, -1) {
			count++
			if err := fault(exampleArgs(m[1])); err != nil {
				t.Errorf("%s: hooktail %s: %v", path, m[1], err)
			}
		}
	}
	for path, text := range texts {
		for _, block := range shell.FindAllStringSubmatch(text, -1) {
			check(path, comment.ReplaceAllString(block[1], ""), commandFault)
		}
		for _, m := range inline.FindAllStringSubmatch(title.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if !strings.Contains(m[1], ": ") { // a message of the program
				check(path, m[1], nameFault)
			}
		}
	}
	for line := range strings.Lines(readText(t, filepath.Join(repository, "docker-compose.yml"))) {
		if _, command, found := strings.Cut(line, "docker compose exec hooktail /"); found {
			check("docker-compose.yml", command, commandFault)
		}
	}
	if count < 30 {
		t.Errorf("only %d commands were found: the search is broken", count)
	}
}

// nameFault is what is wrong with a command that a text only names, perhaps
// without its arguments.
func nameFault(args []string) error {
	if err := commandFault(args); err == nil {
		return nil
	}
	root := (&app{}).root()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		return fmt.Errorf("no such command: %q", args)
	}
	if cmd.HasSubCommands() && len(rest) > 0 {
		return fmt.Errorf("%s has no %q", cmd.CommandPath(), rest)
	}
	return cmd.ParseFlags(append(rest, "1h")) // the last flag may be named without its value
}

// shellWord is a word of a command line, perhaps in quotes.
var shellWord = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// exampleArgs are the words of an example; ID and its like stand for a number, as
// people read them.
func exampleArgs(text string) []string {
	var args []string
	for _, word := range shellWord.FindAllString(text, -1) {
		if word == "ID" {
			word = "3"
		}
		if quote := word[:1]; len(word) > 1 && (quote == "'" || quote == `"`) {
			word = strings.TrimSuffix(word[1:], quote)
		}
		args = append(args, word)
	}
	return args
}
