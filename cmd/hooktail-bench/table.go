package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// line is a row of the table: a measure of hooktail and its bound.
type line struct {
	what     string
	scenario string
	system   string // measured
	against  string // system to compare with; "": none, the figure is judged alone
	measure  string
	least    float64 // lower bound of the ratio, or of the figure alone; 0: none
	most     float64
}

// lines returns the rows of the table, in order.
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
		{what: "recorded calls, last commit to arrival, p50 ms", scenario: "played", system: h, measure: "p50_ms", most: 10},
		{what: "the same, p95 ms", scenario: "played", system: h, measure: "p95_ms", most: 30},
		{what: "share of their annotation events that show their end", scenario: "played", system: h, measure: "shown", least: 0.9},
		{what: "ten hooks, requests/s", scenario: "ten", system: h, against: n, measure: "rate", least: 0.8},
		{what: "ten hooks, CPU s per 100 k requests", scenario: "ten", system: h, against: n, measure: "cpu_s", most: 2},
		{what: "ten hooks, peak MiB", scenario: "ten", system: h, measure: "peak_mib", most: 64},
		{what: "ten hooks with a filter each beside ten without, requests/s", scenario: "filters", system: "filters", against: "without", measure: "rate", least: 0.8},
		{what: "the same, CPU", scenario: "filters", system: "filters", against: "without", measure: "cpu_s"},
		{what: "one hook among 1,000 beside one alone, events/s", scenario: "thousand", system: "1000 hooks", against: "one hook", measure: "rate", least: 0.95},
		{what: "the same, CPU", scenario: "thousand", system: "1000 hooks", against: "one hook", measure: "cpu_s", most: 1.05},
		{what: "nine hooks with a dead one (refuses) beside nine, requests/s", scenario: "dead", system: "and a closed one", against: "nine hooks", measure: "rate", least: 0.9},
		{what: "nine hooks with a dead one (hangs) beside nine, requests/s", scenario: "dead", system: "and a silent one", against: "nine hooks", measure: "rate", least: 0.9},
		{what: "dead hook (refuses), peak MiB", scenario: "dead", system: "and a closed one", measure: "peak_mib", most: 64},
		{what: "dead hook (hangs), peak MiB", scenario: "dead", system: "and a silent one", measure: "peak_mib", most: 64},
		{what: "parking, events/s", scenario: "parking", system: "parked", measure: "rate", least: 20_000},
		{what: "delivery from the parking beside delivery, events/s", scenario: "parking", system: "drained", against: "delivered", measure: "rate", least: 0.5},
		{what: "parking, peak MiB", scenario: "parking", system: "drained", measure: "peak_mib", most: 64},
		{what: "statements per 1,000 events, backlog", scenario: "db backlog", system: h, measure: "statements"},
		{what: "statements per 1,000 events, trickle", scenario: "db trickle", system: h, measure: "statements"},
		{what: "statements per 1,000 annotations saved at 200/s, default settings", scenario: "db saves", system: h, measure: "statements", most: 600},
		{what: "their share of hooktail's, its sessions' and the walsender's CPU, backlog", scenario: "db backlog", system: h, measure: "sessions_share"},
		{what: "their share of it, trickle", scenario: "db trickle", system: h, measure: "sessions_share"},
		{what: "WAL written during a backlog, bytes in all", scenario: "db backlog", system: h, measure: "wal_bytes", most: 2000},
		{what: "saving an annotation, p50 ms, hooktail beside the null pipeline", scenario: "application", system: h, against: n, measure: "p50_ms", most: 1.1},
		{what: "the same, hooktail beside nothing", scenario: "application", system: h, against: "nothing", measure: "p50_ms"},
		{what: "the same, the null pipeline beside nothing", scenario: "application", system: n, against: "nothing", measure: "p50_ms"},
		{what: "the same, an outbox beside nothing", scenario: "application", system: "outbox", against: "nothing", measure: "p50_ms"},
		{what: "the same, NOTIFY beside nothing", scenario: "application", system: "notify", against: "nothing", measure: "p50_ms"},
		{what: "saving an annotation, p99 ms, hooktail beside nothing", scenario: "application", system: h, against: "nothing", measure: "p99_ms"},
		{what: "saving an annotation, p50 ms, hooktail beside nothing, on another core than the database", scenario: "pinned", system: h, against: "nothing", measure: "p50_ms", most: 1.15},
		{what: "the same, the null pipeline beside nothing", scenario: "pinned", system: n, against: "nothing", measure: "p50_ms"},
		{what: "the same, the null pipeline without posting beside nothing", scenario: "pinned", system: string(reader), against: "nothing", measure: "p50_ms"},
		{what: "bulk, events/s", scenario: "bulk", system: h, against: n, measure: "rate", least: 0.8},
		{what: "bulk, CPU s per 100 k events", scenario: "bulk", system: h, against: n, measure: "cpu_s", most: 2},
		{what: "bulk, peak MiB", scenario: "bulk", system: h, measure: "peak_mib", most: 64},
		{what: "backlog in a project of as many tasks, events/s", scenario: "large", system: h, against: n, measure: "rate", least: 0.8},
		{what: "the same, peak MiB", scenario: "large", system: h, measure: "peak_mib", most: 64},
		{what: "600 tasks of 400 KB, backlog, peak MiB", scenario: "memory", system: "large backlog", measure: "peak_mib", most: 80},
		{what: "the same, live", scenario: "memory", system: "large live", measure: "peak_mib", most: 80},
		{what: "a transaction of 200,000 annotations, live, peak MiB", scenario: "memory", system: "large transaction", measure: "peak_mib", most: 80},
		{what: "one hook among 10,000, start to first delivery, s", scenario: "many", system: "10,000 hooks", measure: "start_s", most: 2},
		{what: "the same, peak MiB", scenario: "many", system: "10,000 hooks", measure: "peak_mib", most: 80},
		{what: "adopting all 10,000, s", scenario: "many", system: "adopt", measure: "took_s", most: 5},
		{what: "the same, peak MiB", scenario: "many", system: "adopt", measure: "peak_mib", most: 80},
		{what: "300 hooks that hang, peak MiB", scenario: "sick", system: "hang", measure: "peak_mib", most: 80},
		{what: "then refuse", scenario: "sick", system: "refuse", measure: "peak_mib", most: 80},
		{what: "then come back at once", scenario: "sick", system: "come back", measure: "peak_mib", most: 80},
		{what: "parking of 500,000 deliveries, peak MiB", scenario: "memory", system: "parking", measure: "peak_mib", most: 80},
		{what: "start with them, peak MiB", scenario: "memory", system: "parked", measure: "peak_mib", most: 80},
		{what: "kill -9 at 500/s, sent again", scenario: "kill", system: h, measure: "again", most: 100},
		{what: "through a log beside without, backlog, events/s", scenario: "price", system: "log", against: h, measure: "rate", least: 0.7},
		{what: "the same, CPU s per 100 k events", scenario: "price", system: "log", against: h, measure: "cpu_s", most: 1.6},
		{what: "the same, CPU of the log's server", scenario: "price", system: "log", measure: "broker_s"},
		{what: "the same, trickle 200/s, CPU s per 100 k events", scenario: "price trickle", system: "log", against: h, measure: "cpu_s"},
		{what: "the same, trickle 200/s, p50 ms", scenario: "price trickle", system: "log", against: h, measure: "p50_ms"},
		{what: "what the log adds to it, ms", scenario: "price trickle", system: "added", measure: "p50_ms", most: 2},
		{what: "two senders beside one, receivers that take 100 ms, requests/s", scenario: "scale", system: "2 senders", against: "1 senders", measure: "rate", least: 1.9},
		{what: "four senders beside one, the same", scenario: "scale", system: "4 senders", against: "1 senders", measure: "rate", least: 3.7},
		{what: "soak, peak MiB", scenario: "soak look", system: h, measure: "peak_mib", most: 64},
		{what: "soak, resident MiB", scenario: "soak look", system: h, measure: "rss_mib", most: 64},
		{what: "soak, heap MiB", scenario: "soak look", system: h, measure: "heap_mib"},
		{what: "soak, goroutines", scenario: "soak look", system: h, measure: "goroutines"},
		{what: "soak, first tenth, p50 ms", scenario: "soak", system: "first tenth", measure: "p50_ms"},
		{what: "soak, last tenth, p50 ms", scenario: "soak", system: "last tenth", measure: "p50_ms"},
	}
}

// table returns the results as a Markdown table.
func (r *results) table() string {
	text := r.machine() + "\n\n| | beside | hooktail | ratio | bound | |\n|---|---|---|---|---|---|\n"
	for _, l := range lines() {
		text += r.row(l)
	}
	return text
}

// print writes the table, if anything was measured.
func (r *results) print(to io.Writer) error {
	if len(r.samples) == 0 {
		return nil
	}
	_, err := io.WriteString(to, r.table())
	return err
}

// Marks in a file that enclose the table.
const (
	tableBegins = "<!-- bench -->\n"
	tableEnds   = "<!-- /bench -->\n"
)

// insert replaces the table in the file of that name.
func (r *results) insert(name string) error {
	if name == "" || len(r.samples) == 0 {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("insert table: %w", err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("insert table: %s lacks the marks %q and %q", name, tableBegins, tableEnds)
	}
	if err := os.WriteFile(name, []byte(before+tableBegins+r.table()+tableEnds+after), 0o644); err != nil {
		return fmt.Errorf("insert table: %w", err)
	}
	return nil
}

func (r *results) row(l line) string {
	own := r.values(l.scenario, l.system, l.measure)
	if len(own) == 0 {
		return ""
	}
	judged, beside, ratio := own, "", ""
	if l.against != "" {
		others := r.values(l.scenario, l.against, l.measure)
		judged = map[int]float64{}
		for rep, v := range own {
			if other := others[rep]; other > 0 {
				judged[rep] = v / other
			}
		}
		if len(judged) == 0 {
			return ""
		}
		beside, ratio = spreadOf(others).String(), spreadOf(judged).String()
	}
	bound, verdict := l.judge(spreadOf(judged).median)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", l.what, beside, spreadOf(own), ratio, bound, verdict)
}

// judge returns the bound, and whether the median keeps it.
func (l line) judge(median float64) (bound, verdict string) {
	var kept bool
	switch {
	case l.least > 0:
		bound, kept = "≥ "+figure(l.least), median >= l.least
	case l.most > 0:
		bound, kept = "≤ "+figure(l.most), median <= l.most
	default:
		return "", ""
	}
	if kept {
		return bound, "kept"
	}
	return bound, "**missed**"
}
