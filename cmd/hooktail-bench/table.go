package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// line is a row of the table: what hooktail has to be measured against.
type line struct {
	what     string
	scenario string
	system   string // measured
	against  string // in the same scenario; "": the figure stands for itself
	measure  string
	least    float64 // bound of the ratio, or of the figure that stands for itself; 0: none
	most     float64
	exact    bool // the upper bound holds although it is 0
}

// lines are the table, in its order.
func lines() []line {
	h, n := string(hooktail), string(null)
	return []line{
		{what: "backlog, events/s", scenario: "backlog", system: h, against: n, measure: "rate", least: 0.8},
		{what: "backlog, CPU s per 100 k events", scenario: "backlog", system: h, against: n, measure: "cpu_s", most: 2},
		{what: "backlog, peak MiB", scenario: "backlog", system: h, measure: "peak_mib", most: 64},
		{what: "start to first delivery, s", scenario: "backlog", system: h, measure: "start_s", most: 0.3},
		{what: "live, events/s", scenario: "live", system: h, against: n, measure: "rate", least: 0.8},
		{what: "live, CPU s per 100 k events", scenario: "live", system: h, against: n, measure: "cpu_s", most: 2},
		{what: "live, peak MiB", scenario: "live", system: h, measure: "peak_mib", most: 64},
		{what: "trickle 200/s, p50 ms", scenario: "trickle", system: h, against: n, measure: "p50_ms", most: 1.5},
		{what: "trickle 200/s, p99 ms", scenario: "trickle", system: h, against: n, measure: "p99_ms", most: 2},
		{what: "trickle, CPU s per 100 k events", scenario: "trickle", system: h, against: n, measure: "cpu_s", most: 2},
		{what: "trickle, peak MiB", scenario: "trickle", system: h, measure: "peak_mib", most: 64},
	}
}

// print writes the table in Markdown. What was not measured is not in it.
func (r *results) print(to io.Writer) error {
	if len(r.samples) == 0 {
		return nil
	}
	text := r.machine() + "\n\n| | null | hooktail | ratio | bound | |\n|---|---|---|---|---|---|\n"
	for _, l := range lines() {
		text += r.row(l)
	}
	_, err := io.WriteString(to, text)
	return err
}

func (r *results) row(l line) string {
	own := r.values(l.scenario, l.system, l.measure)
	if len(own) == 0 {
		return ""
	}
	judged := own
	beside, ratio := "", ""
	if l.against != "" {
		others := r.values(l.scenario, l.against, l.measure)
		judged = map[int]float64{}
		for rep, v := range own {
			if other, ok := others[rep]; ok && other > 0 {
				judged[rep] = v / other
			}
		}
		if len(judged) == 0 {
			return ""
		}
		beside = spreadOf(slices.Collect(maps.Values(others))).String()
		ratio = spreadOf(slices.Collect(maps.Values(judged))).String()
	}
	bound, verdict := l.judge(spreadOf(slices.Collect(maps.Values(judged))).median)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", l.what, beside,
		spreadOf(slices.Collect(maps.Values(own))), ratio, bound, verdict)
}

// judge says what the bound is and whether the median keeps it.
func (l line) judge(median float64) (bound, verdict string) {
	var kept bool
	switch {
	case l.least > 0:
		bound, kept = "≥ "+figure(l.least), median >= l.least
	case l.most > 0 || l.exact:
		bound, kept = "≤ "+figure(l.most), median <= l.most
	default:
		return "", ""
	}
	if kept {
		return bound, "kept"
	}
	return bound, "**missed**"
}
