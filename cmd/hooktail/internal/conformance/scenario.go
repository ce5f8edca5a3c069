package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// Scenarios reads all scenarios of dir, which has a folder for each, in the order of their
// names: later ones build on rows of earlier ones.
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
	return all, nil
}

func scenario(dir string) (Scenario, error) {
	s := Scenario{Name: filepath.Base(dir), ChangesPath: filepath.Join(dir, "changes.sql")}
	if s.Number() == 0 {
		return Scenario{}, errors.New("name does not begin with a number")
	}
	var expected string
	for _, file := range []struct {
		name string
		into *string
	}{{"changes.sql", &s.Changes}, {"wal.txt", &s.WAL}, {"expected.json", &expected}} {
		text, err := os.ReadFile(filepath.Join(dir, file.name))
		if err != nil {
			return Scenario{}, err
		}
		*file.into = string(text)
	}
	if err := json.Unmarshal([]byte(expected), &s.Expected); err != nil {
		return Scenario{}, fmt.Errorf("read expected.json: %w", err)
	}
	return s, nil
}
