package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/config"
)

// dockerfile is the instructions of deploy/Dockerfile, a line each, continuation
// lines joined.
type dockerfile []string

func readDockerfile(t *testing.T) dockerfile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var lines dockerfile
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// last is the last instruction of the kind, without its name.
func (d dockerfile) last(t *testing.T, instruction string) string {
	t.Helper()
	for i := len(d) - 1; i >= 0; i-- {
		if rest, found := strings.CutPrefix(d[i], instruction+" "); found {
			return rest
		}
	}
	t.Fatalf("deploy/Dockerfile has no %s", instruction)
	return ""
}

// exec is the command of the instruction, in the form that needs no shell.
func (d dockerfile) exec(t *testing.T, instruction string) []string {
	t.Helper()
	text := d.last(t, instruction)
	var list []string
	if err := json.Unmarshal([]byte(text[max(strings.Index(text, "["), 0):]), &list); err != nil {
		t.Fatalf("%s %s: %v", instruction, text, err)
	}
	return list
}

// TestImageRunsTheProgram: what the image says of command, variables, port and
// Go is true of the program.
func TestImageRunsTheProgram(t *testing.T) {
	t.Parallel()
	d := readDockerfile(t)
	entry := d.exec(t, "ENTRYPOINT")
	if path := d.last(t, "COPY --from=build"); len(entry) != 1 || !strings.HasSuffix(path, " "+entry[0]) {
		t.Errorf("the program is copied as %q and started as %q", path, entry)
	}
	if err := commandFault(d.exec(t, "CMD")); err != nil {
		t.Errorf("CMD: %v", err)
	}
	if check := d.exec(t, "HEALTHCHECK"); check[0] != entry[0] {
		t.Errorf("the health check calls %q", check)
	} else if err := commandFault(check[1:]); err != nil {
		t.Errorf("HEALTHCHECK: %v", err)
	}
	if user, err := strconv.Atoi(strings.Split(d.last(t, "USER"), ":")[0]); err != nil || user == 0 {
		t.Errorf("USER %s is not a number other than root's", d.last(t, "USER"))
	}
	cfg, err := config.Load([]string{"HOOKTAIL_DATABASE_URL=postgres://127.0.0.1/none", d.last(t, "ENV")})
	if err != nil {
		t.Fatalf("ENV: %v", err)
	}
	if _, port, err := net.SplitHostPort(cfg.HTTPAddr); err != nil || port != d.last(t, "EXPOSE") {
		t.Errorf("EXPOSE %s, the program listens on %s", d.last(t, "EXPOSE"), cfg.HTTPAddr)
	}
	for _, line := range d {
		if strings.HasPrefix(line, "FROM") && !regexp.MustCompile(`FROM (--platform=\$BUILDPLATFORM golang:\S+ AS build|scratch AS base|base AS release|base)$`).MatchString(line) {
			t.Errorf("%s: the image is the program and nothing else", line)
		}
	}
	module, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	needed := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindSubmatch(module)[1]
	if image := fmt.Sprintf("golang:%s ", needed); !strings.Contains(strings.Join(d, "\n"), image) {
		t.Errorf("the module needs Go %s, the image is built by another", needed)
	}
}
