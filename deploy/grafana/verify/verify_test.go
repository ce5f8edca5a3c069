// Package verify holds the dashboard against Grafana's own description of dashboards,
// panels and queries, as its SDK has it. It is a module of its own, so that the program
// does not depend on it:
//
//	cd deploy/grafana/verify && go test .
//
// That each query has an answer is a test of promtest, beside a real Prometheus.
package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

const file = "../dashboards/hooktail.json"

// TestDashboard: there is no field that Grafana does not know, none missing that it
// wants, panels are of kinds that it has, lie beside each other and not on one another,
// and ask the data source that was chosen with the variables that there are.
func TestDashboard(t *testing.T) {
	text := read(t)
	if err := check(text); err != nil {
		t.Error(err)
	}
}

// TestDashboardHasThePagesCharts: what the status page draws is a panel here, by the same
// name.
func TestDashboardHasThePagesCharts(t *testing.T) {
	script, err := os.ReadFile("../../../internal/status/assets/charts.js")
	if err != nil {
		t.Fatal(err)
	}
	charts := regexp.MustCompile(`{ title: "([^"]+)"`).FindAllSubmatch(script, -1)
	if len(charts) < 3 {
		t.Fatalf("%d charts on the page", len(charts))
	}
	text := string(read(t))
	for _, chart := range charts {
		if !strings.Contains(text, fmt.Sprintf("%q: %q", "title", chart[1])) {
			t.Errorf("the page draws %q, the dashboard does not", chart[1])
		}
	}
}

// TestFaultsAreFound: each of these changes of the dashboard is a fault.
func TestFaultsAreFound(t *testing.T) {
	text := read(t)
	for _, c := range []struct{ old, new, want string }{
		{`"graphTooltip"`, `"graphTip"`, "graphTip"},
		{`"colorMode"`, `"colourMode"`, "colourMode"},
		{`"fillOpacity"`, `"opacityOfFill"`, "opacityOfFill"},
		{`"legendFormat"`, `"legendForm"`, "legendForm"},
		{`"rowHeight"`, `"height"`, "rowHeight: required"},
		{`"heatmap",` + "\n", `"heatMap",` + "\n", `no panels of the type "heatMap"`},
		{`"unit": "reqps"`, `"unit": "requests"`, `unit "requests"`},
		{`"id": 2,`, `"id": 3,`, "have the id 3"},
		{`"x": 4,`, `"x": 3,`, `lies on "Leader"`},
		{`"x": 20,`, `"x": 21,`, "beyond the 24 columns"},
		{`\"$job\"`, `\"$jobs\"`, "$jobs"},
		{`"name": "hook"`, `"name": "hooks"`, "$hooks is asked for nowhere"},
		{`"uid": "${datasource}"`, `"uid": "P1809F7CD0C75ACF3"`, "P1809F7CD0C75ACF3"},
	} {
		t.Run(c.new, func(t *testing.T) {
			changed := strings.ReplaceAll(string(text), c.old, c.new)
			if changed == string(text) {
				t.Fatalf("the dashboard has no %s", c.old)
			}
			if err := check([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("found: %v\nwant one with %q", err, c.want)
			}
		})
	}
}

func read(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// check returns all faults of a dashboard.
func check(text []byte) error {
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	faults := []error{said(d.UnmarshalJSONStrict(text)), said(d.Validate())}
	if json.Unmarshal(text, &d) != nil {
		return errors.Join(faults...)
	}
	ids := map[uint32]string{}
	var earlier []titled
	for _, p := range d.Panels {
		id, at := place(p)
		if other, taken := ids[id]; taken {
			faults = append(faults, fmt.Errorf("%q and %q have the id %d", other, at.title, id))
		}
		ids[id] = at.title
		faults = append(faults, at.within())
		for _, other := range earlier {
			if at.touches(other.GridPos) {
				faults = append(faults, fmt.Errorf("%q lies on %q", at.title, other.title))
			}
		}
		earlier = append(earlier, at)
		if p.Panel != nil {
			faults = append(faults, checkPanel(p.Panel))
		}
	}
	return errors.Join(append(faults, checkVariables(d, string(text)))...)
}

// said is nil for an error that says nothing: the SDK's list of none.
func said(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return err
}

// titled is a place on the dashboard, and what is there.
type titled struct {
	dashboard.GridPos
	title string
}

func place(p dashboard.PanelOrRowPanel) (id uint32, at titled) {
	if p.Panel != nil {
		return *p.Panel.Id, titled{*p.Panel.GridPos, *p.Panel.Title}
	}
	return p.RowPanel.Id, titled{*p.RowPanel.GridPos, *p.RowPanel.Title}
}

func (p titled) within() error {
	if p.X+p.W > 24 {
		return fmt.Errorf("%q reaches beyond the 24 columns", p.title)
	}
	return nil
}

func (p titled) touches(q dashboard.GridPos) bool {
	return p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H
}

// checkPanel is of what Grafana takes as a string, and nobody has checked yet.
func checkPanel(p *dashboard.Panel) error {
	var faults []error
	if _, known := cog.NewRuntime().ConfigForPanelcfgVariant(p.Type); !known {
		faults = append(faults, fmt.Errorf("%q: Grafana has no panels of the type %q", *p.Title, p.Type))
	}
	known := []string{units.Short, units.Seconds, units.BytesSI, units.PercentUnit, units.RequestsPerSecond}
	if unit := p.FieldConfig.Defaults.Unit; unit == nil || !slices.Contains(known, *unit) {
		faults = append(faults, fmt.Errorf("%q has the unit %q, none of those known to be Grafana's", *p.Title, *unit))
	}
	if len(p.Targets) == 0 {
		faults = append(faults, fmt.Errorf("%q asks for nothing", *p.Title))
	}
	sources := []string{*p.Datasource.Uid}
	for _, target := range p.Targets {
		query, ok := target.(*prometheus.Dataquery)
		if !ok {
			faults = append(faults, fmt.Errorf("%q asks with a %T", *p.Title, target))
			continue
		}
		sources = append(sources, *query.Datasource.Uid)
	}
	for _, source := range sources {
		if source != "${datasource}" {
			faults = append(faults, fmt.Errorf("%q asks the data source %s, which may be another one there", *p.Title, source))
		}
	}
	return errors.Join(faults...)
}

// checkVariables compares the variables that are there with those that are used;
// Grafana brings those that begin with two underscores.
func checkVariables(d dashboard.Dashboard, text string) error {
	var faults []error
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "__") {
			used[m[1]] = true
		}
	}
	for _, variable := range d.Templating.List {
		name := variable.Name
		if !used[name] {
			faults = append(faults, fmt.Errorf("$%s is asked for nowhere", name))
		}
		delete(used, name)
	}
	for name := range used {
		faults = append(faults, fmt.Errorf("there is no variable $%s", name))
	}
	return errors.Join(faults...)
}
