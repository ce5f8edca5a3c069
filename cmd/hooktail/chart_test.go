package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/config"
)

// TestChartRunsTheProgram: the variables that the chart names are the program's,
// with the same defaults, and it runs as the user, and asks at the port, that the
// image has. What Helm and Kubernetes make of it is tested in deploy/helm/verify.
func TestChartRunsTheProgram(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(repository, "deploy/helm/hooktail")
	templates, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	for _, v := range config.Variables() {
		variables = append(variables, v.Name)
	}
	for _, path := range append(templates, filepath.Join(chart, "values.yaml")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`HOOKTAIL_[A-Z_]+`).FindAllString(string(text), -1) {
			if !slices.Contains(variables, strings.TrimSuffix(name, "_FILE")) {
				t.Errorf("%s: the program has no %s", path, name)
			}
		}
	}

	var values struct {
		Memory int `yaml:"memory"`
		Grace  int `yaml:"grace"`
	}
	readYAML(t, "deploy/helm/hooktail/values.yaml", &values)
	cfg := loadDeployed(t, "defaults", map[string]string{"HOOKTAIL_DATABASE_URL": "postgres://127.0.0.1/none"})
	if int64(values.Memory)<<20 != int64(cfg.Memory) || float64(values.Grace) != cfg.Grace.Seconds() {
		t.Errorf("the chart's defaults are %d MiB and %d s, the program's %d bytes and %s", values.Memory, values.Grace, cfg.Memory, cfg.Grace)
	}

	deployment := readText(t, filepath.Join(chart, "templates/deployment.yaml"))
	image := readDockerfile(t)
	user, _, _ := strings.Cut(image.last(t, "USER"), ":")
	for _, want := range []string{
		"runAsUser: " + user + "\n", fmt.Sprintf("containerPort: %s\n", image.last(t, "EXPOSE")), "args: [run{{ if $.Values.setup }}, --setup{{ end }}]\n",
	} {
		if !strings.Contains(deployment, want) {
			t.Errorf("the deployment has no %q", want)
		}
	}
}
