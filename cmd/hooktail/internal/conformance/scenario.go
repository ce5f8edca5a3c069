package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Request is one webhook request, recorded or delivered.
type Request struct {
	Hook    int64             `json:"hook"`
	Action  string            `json:"action"`
	Headers map[string]string `json:"headers"` // names in lower case
	Body    json.RawMessage   `json:"body"`
}

// Scenario is one recorded group of calls to Label Studio.
type Scenario struct {
	Name        string // NN-name
	ChangesPath string
	Changes     string    // statements as sent by the application
	WAL         string    // row changes in the format of test_decoding
	API         string    // calls and answers
	Notes       string    // empty unless something is unusual
	Expected    []Request // requests that Label Studio sent, in order of arrival
}

// Number returns the number of the scenario, from its name.
func (s Scenario) Number() int {
	digits, _, _ := strings.Cut(s.Name, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

// Scenarios reads all scenarios of dir, which has a folder for each, in numeric order:
// later ones build on rows of earlier ones.
func Scenarios(dir string) ([]Scenario, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	var all []Scenario
	for _, entry := range entries {
		s, err := scenario(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read scenario %s: %w", entry.Name(), err)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Scenario) int {
		return cmp.Or(cmp.Compare(a.Number(), b.Number()), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

func scenario(dir string) (Scenario, error) {
	s := Scenario{Name: filepath.Base(dir), ChangesPath: filepath.Join(dir, "changes.sql")}
	if s.Number() == 0 {
		return Scenario{}, errors.New("name does not begin with a number")
	}
	var expected string
	for _, file := range []struct {
		name     string
		into     *string
		optional bool
	}{
		{name: "changes.sql", into: &s.Changes},
		{name: "wal.txt", into: &s.WAL},
		{name: "expected.json", into: &expected},
		{name: "api.txt", into: &s.API, optional: true},
		{name: "NOTES.md", into: &s.Notes, optional: true},
	} {
		text, err := os.ReadFile(filepath.Join(dir, file.name))
		missing := errors.Is(err, fs.ErrNotExist) && file.optional
		if err != nil && !missing {
			return Scenario{}, err
		}
		*file.into = string(text)
	}
	if err := json.Unmarshal([]byte(expected), &s.Expected); err != nil {
		return Scenario{}, fmt.Errorf("read expected.json: %w", err)
	}
	return s, nil
}
