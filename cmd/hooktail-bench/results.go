package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is the result of one repetition.
type sample struct {
	Scenario   string             `json:"scenario"`
	System     string             `json:"system"`
	Repetition int                `json:"repetition"`
	At         time.Time          `json:"at"`
	Values     map[string]float64 `json:"values"`
}

func newSample(scenario string, of system, name string, rep int) sample {
	return sample{scenario, cmp.Or(name, string(of)), rep, time.Now().UTC(), map[string]float64{}}
}

func (s *sample) set(measure string, value float64) { s.Values[measure] = value }

// percentiles sorts the durations and records those percentiles.
func (s *sample) percentiles(took []time.Duration, percents ...int) {
	slices.Sort(took)
	for _, p := range percents {
		s.set(fmt.Sprintf("p%d_ms", p), float64(took[len(took)*p/100])/float64(time.Millisecond))
	}
}

// String returns a line for people.
func (s sample) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %-16s", s.Scenario, s.System)
	for _, measure := range measures() {
		if value, ok := s.Values[measure]; ok {
			fmt.Fprintf(&b, " %s=%s", measure, figure(value))
		}
	}
	return b.String()
}

// measures are the names of the values, in the order in which they are shown.
func measures() []string {
	return []string{
		"rate", "p50_ms", "p95_ms", "p99_ms", "shown", "start_s", "load_s", "took_s", "cpu_s", "peak_mib", "walsender_s", "sessions_s", "again", "before",
		"statements", "wal_bytes", "sessions_share", "rss_mib", "heap_mib", "goroutines", "fds",
	}
}

// figure formats a value with three significant digits.
func figure(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.1f k", v/1000)
	case v >= 100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// results keeps the samples of a run.
type results struct {
	file    *os.File // of the samples, one line of JSON each
	samples []sample
	server  string // version
	began   time.Time
}

// newResults writes the samples into the file of that name; "": nowhere.
func newResults(name string) (*results, error) {
	file, err := os.Create(cmp.Or(name, os.DevNull))
	if err != nil {
		return nil, fmt.Errorf("write results: %w", err)
	}
	return &results{file: file, began: time.Now()}, nil
}

func (r *results) add(s sample) error {
	r.samples = append(r.samples, s)
	if err := json.NewEncoder(r.file).Encode(s); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// values returns the values of a measure, by repetition.
func (r *results) values(scenario, system, measure string) map[int]float64 {
	found := map[int]float64{}
	for _, s := range r.samples {
		if v, ok := s.Values[measure]; ok && s.Scenario == scenario && s.System == system {
			found[s.Repetition] = v
		}
	}
	return found
}

// spread is the median of values, with their minimum and maximum.
type spread struct{ least, median, most float64 }

func spreadOf(byRepetition map[int]float64) spread {
	values := slices.Sorted(maps.Values(byRepetition))
	n := len(values)
	s := spread{values[0], values[n/2], values[n-1]}
	if n%2 == 0 {
		s.median = (values[n/2-1] + values[n/2]) / 2
	}
	return s
}

// String returns the median, with minimum and maximum if there are several values.
func (s spread) String() string {
	if s.least == s.most {
		return figure(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", figure(s.median), figure(s.least), figure(s.most))
}

// machine describes the machine and the run.
func (r *results) machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	return fmt.Sprintf("%d cores of %s, %s/%s, %s, PostgreSQL %s, %s, %s of measuring",
		runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version(), r.server,
		r.began.UTC().Format("2006-01-02 15:04 UTC"), time.Since(r.began).Round(time.Second))
}
