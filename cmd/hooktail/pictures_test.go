package main

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPicturesAreDarkAndLight: each drawing of the documents is there for a light and for
// a dark page, and the two differ in colours alone.
func TestPicturesAreDarkAndLight(t *testing.T) {
	t.Parallel()
	drawings, err := filepath.Glob(filepath.Join(repository, "docs/images/*.svg"))
	if err != nil || len(drawings) < 4 {
		t.Fatalf("%d drawings: %v", len(drawings), err)
	}
	colour := regexp.MustCompile(`#[0-9a-f]{6}\b`)
	for _, light := range drawings {
		name, found := strings.CutSuffix(light, "-light.svg")
		if !found {
			continue
		}
		one, other := readText(t, light), readText(t, name+"-dark.svg")
		if colour.ReplaceAllString(one, "") != colour.ReplaceAllString(other, "") {
			t.Errorf("%s: the dark drawing differs in more than its colours", filepath.Base(name))
		}
		if one == other {
			t.Errorf("%s: the dark drawing has the light one's colours", filepath.Base(name))
		}
	}
}

// TestREADMENamesTestsThatExist: each guarantee of the README names its test.
func TestREADMENamesTestsThatExist(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(repository, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(readText(t, path), -1) {
				there[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, guarantees, _ := strings.Cut(readText(t, filepath.Join(repository, "README.md")), "\n## What is guaranteed")
	guarantees, _, _ = strings.Cut(guarantees, "\nLimits:")
	count := 0
	for guarantee := range strings.SplitSeq(guarantees, "\n- ") {
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(guarantee, -1)
		if strings.HasPrefix(guarantee, "**") && len(names) == 0 {
			t.Errorf("no test is named for: %s", guarantee)
		}
		for _, name := range names {
			count++
			if !there[name[1]] {
				t.Errorf("README.md names %s, which there is not", name[1])
			}
		}
	}
	if count < 6 {
		t.Errorf("README.md names %d tests", count)
	}
}
