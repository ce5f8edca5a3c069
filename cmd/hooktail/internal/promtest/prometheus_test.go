//go:build external

package promtest

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

const (
	deploy = "../../../../deploy/prometheus"
	board  = "../../../../deploy/grafana/dashboards/hooktail.json"
)

// TestWithPromtoolRules: configuration, rules and their cases are what Prometheus
// takes them for, and each alert has a case in which it fires and one in which it
// does not.
func TestWithPromtoolRules(t *testing.T) {
	t.Parallel()
	cases := []string{"hooks_test.yml", "stream_test.yml", "log_test.yml"}
	promtool(t, "", "check", "config", "prometheus.yml")
	promtool(t, "", append([]string{"test", "rules"}, cases...)...)
	tested := ""
	for _, file := range cases {
		tested += read(t, filepath.Join(deploy, file))
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, filepath.Join(deploy, "hooktail.rules.yml")), -1)
	if len(alerts) == 0 {
		t.Fatal("there are no alerts")
	}
	for _, alert := range alerts {
		for _, expected := range []string{"\n          - exp_labels:", " []"} {
			if !strings.Contains(tested, "alertname: "+alert[1]+"\n        exp_alerts:"+expected) {
				t.Errorf("%s has no case with exp_alerts:%q", alert[1], expected)
			}
		}
	}
}

// TestWithPrometheusScraping: a real Prometheus scrapes a real hooktail while hooks
// work, fail, park and die. The metrics keep to the conventions, the rules evaluate,
// the alerts that belong to these hooks are raised and no others, and there is not an
// expression on the dashboard that shows nothing.
func TestWithPrometheusScraping(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=30s")
	server := prometheus(t, p.Ops)
	server.await(t, `hooktail_deliveries_total{hook="1", outcome="delivered"}`) // at 0
	s.work(t, 4)
	s.awaitDelivered(t, healthy, 4*3+2+1)
	server.await(t, `hooktail_dead{hook="4"} > 0`)
	server.await(t, `hooktail_oldest_parked_seconds{hook="3"} > 0`)

	_, text := p.Get(t, "/metrics")
	promtool(t, text+"\n", "check", "metrics")
	for _, expression := range expressions(t) {
		if !strings.Contains(expression, "hooktail_log_") { // TestWithPrometheusLog has those
			server.await(t, expression)
		}
	}
	if got := server.query(t, `{__name__=~"hooktail_log_.*"}`); len(got) > 0 {
		t.Errorf("without a log there are %v", got)
	}
	server.await(t, `{__name__=~"job_hook.*:hooktail_.*"}`)
	for _, alert := range []string{
		`{alertname="HooktailHookFailing", hook="3"}`, `{alertname="HooktailHookUnreliable", hook="5"}`,
		`{alertname="HooktailHookStopped", hook="6"}`, `{alertname="HooktailDeadLetters", hook="4"}`,
	} {
		server.await(t, "ALERTS"+alert)
	}
	if got := server.query(t, `ALERTS{hook="1"} or ALERTS{hook=""}`); len(got) > 0 {
		t.Errorf("alerts of what works: %v", got)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	server.get(t, "/api/v1/rules", &rules)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
}

// TestWithPrometheusLog: with a log, each expression about it on the dashboard shows
// something, and the alerts are those of its state.
func TestWithPrometheusLog(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	nats := natstest.Start(t, nil)
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_URL="+nats.URL())
	limited := nats.Stream(t, "HOOKTAIL_"+s.db.Name).CachedInfo().Config
	limited.MaxBytes = 1 << 30
	nats.Update(t, limited)
	server := prometheus(t, p.Ops)
	s.work(t, 4)
	s.awaitDelivered(t, healthy, 4*3+2+1)
	seen := 0
	for _, expression := range expressions(t) {
		if strings.Contains(expression, "hooktail_log_") {
			server.await(t, expression)
			seen++
		}
	}
	server.await(t, "hooktail_log_batches_total > 0")
	if got := server.query(t, `ALERTS{alertname=~"HooktailLog.*"}`); len(got) > 0 || seen < 8 {
		t.Errorf("%d expressions; alerts of a log that works: %v", seen, got)
	}
	_, text := p.Get(t, "/metrics")
	promtool(t, text+"\n", "check", "metrics")
	nats.Stop()
	server.await(t, `ALERTS{alertname="HooktailLogDisconnected"}`)
}

// promtool runs it in the folder of the rules.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir, cmd.Stdin = deploy, strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// monitor is a Prometheus.
type monitor struct{ url string }

// prometheus starts one with the configuration of deploy, but faster, for the
// hooktail at that address.
func prometheus(t *testing.T, target string) *monitor {
	t.Helper()
	dir := t.TempDir()
	config := strings.NewReplacer("scrape_interval: 15s", "scrape_interval: 500ms", "127.0.0.1:8484", target).Replace(read(t, filepath.Join(deploy, "prometheus.yml")))
	for name, text := range map[string]string{
		"prometheus.yml":     "global: {evaluation_interval: 500ms}\n" + config,
		"hooktail.rules.yml": read(t, filepath.Join(deploy, "hooktail.rules.yml")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // Prometheus does not say which port it took
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	program := proctest.StartCommand(t, exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address), nil)
	m := &monitor{url: "http://" + address}
	proctest.WaitFor(t, func() error {
		answer, err := http.Get(m.url + "/-/ready")
		if err != nil {
			return fmt.Errorf("%w:\n%s", err, program.Stderr)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("Prometheus is not ready: %s", answer.Status)
		}
		return nil
	})
	return m
}

// get asks the API for its data.
func (m *monitor) get(t *testing.T, path string, data any) {
	t.Helper()
	answer, err := http.Get(m.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	envelope := struct {
		Error string
		Data  any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", path, answer.Status, envelope.Error, err)
	}
}

// sample is one of a query's result.
type sample struct {
	Metric map[string]string
	Value  [2]any // when, and the number as text
}

func (m *monitor) query(t *testing.T, expression string) []sample {
	t.Helper()
	var data struct{ Result []sample }
	m.get(t, "/api/v1/query?query="+url.QueryEscape(expression), &data)
	return data.Result
}

// await waits until the expression has a number to show.
func (m *monitor) await(t *testing.T, expression string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		got := m.query(t, expression)
		if !slices.ContainsFunc(got, func(s sample) bool {
			value, err := strconv.ParseFloat(fmt.Sprint(s.Value[1]), 64)
			return err == nil && !math.IsNaN(value)
		}) {
			return fmt.Errorf("%s shows nothing: %v", expression, got)
		}
		return nil
	})
}

// expressions is all that the dashboard asks, with its variables as it starts.
func expressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, board)), &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$job", "hooktail", "$hook", ".*", "$__rate_interval", "5m")
	var all []string
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 && panel.Type != "row" {
			t.Errorf("panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			all = append(all, variables.Replace(target.Expr))
		}
	}
	return all
}
