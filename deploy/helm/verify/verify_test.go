// Package verify holds the chart beside it against what will read it: Helm, the
// types of Kubernetes, its Pod Security Standards, and hooktail's configuration. It
// is a module of its own, so that the program does not depend on any of them:
//
//	cd deploy/helm/verify && go test .
package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/hooktail/hooktail/config"
)

const chart = "../hooktail"

// everything turns on what is off by default.
const everything = `
replicas: 3
memory: 128
grace: 30
setup: true
image: {repository: registry.example.com/hooktail, digest: "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", pullSecrets: [{name: registry}]}
secrets:
  HOOKTAIL_SECRET_KEY: {secret: hooktail, key: secret-key}
env: {HOOKTAIL_PROFILE: native, HOOKTAIL_MAX_ATTEMPTS: 5, HOOKTAIL_SEND_SECRETS: true}
podMonitor: {enabled: true, labels: {release: prometheus}}
networkPolicy: {enabled: true, from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}
podAnnotations: {example.com/team: data}
podLabels: {team: data}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: database, operator: Exists}]
affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {team: data}}}]}}
`

// TestLint: Helm's linter, strictly.
func TestLint(t *testing.T) {
	for _, values := range []string{"", everything} {
		for _, m := range lint.AllWithKubeVersion(chart, read(t, values), "default", nil).Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s", m)
			}
		}
	}
}

// TestRendered: every object has only fields that its kind has, its pods are
// restricted in the sense of the Pod Security Standards, and what it gives the
// program as a configuration is one.
func TestRendered(t *testing.T) {
	for _, c := range []struct {
		name, values string
		kinds        string
	}{
		{"defaults", "", "Deployment PodDisruptionBudget"},
		{"everything", everything, "Deployment NetworkPolicy PodDisruptionBudget PodMonitor"},
		{"alone", "replicas: 1", "Deployment"},
		{"how-to", howTo(t), "Deployment NetworkPolicy PodDisruptionBudget PodMonitor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := render(t, read(t, c.values))
			if got := strings.Join(r.kinds, " "); got != c.kinds {
				t.Errorf("kinds = %s, want %s", got, c.kinds)
			}
			for _, d := range r.deployments {
				restricted(t, d)
				configured(t, d)
				connected(t, r, d)
			}
			if d := r.deployments[0]; len(r.deployments) != 1 || d.Name != "hooktail" || d.Spec.Template.Labels["app.kubernetes.io/instance"] != d.Name {
				t.Errorf("the deployment is %s, and its pods have the labels %v: not as in docs/how-to/kubernetes.md", d.Name, d.Spec.Template.Labels)
			}
		})
	}
}

// TestScaled: with a log, readers and senders are Deployments of their own, and no selector of
// one finds pods of the other. Without the address of NATS nothing is rendered.
func TestScaled(t *testing.T) {
	for _, c := range []struct{ name, values, url string }{
		{"address", "scale: {enabled: true, senders: 4, nats: {url: \"nats://nats:4222\", replicas: 1, sync: always}}", "nats://nats:4222"},
		{"secret", "scale: {enabled: true, senders: 4, nats: {replicas: 1, sync: always}}\nsecrets: {HOOKTAIL_NATS_URL: {secret: hooktail, key: nats-url}}", "nats://user:secret@nats:4222"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := render(t, read(t, c.values+"\npodMonitor: {enabled: true}\nnetworkPolicy: {enabled: true}"))
			if got := strings.Join(r.kinds, " "); got != "Deployment Deployment NetworkPolicy PodDisruptionBudget PodDisruptionBudget PodMonitor" {
				t.Fatalf("kinds = %s", got)
			}
			for i, role := range []config.Role{config.RoleReader, config.RoleSender} {
				d := r.deployments[i]
				restricted(t, d)
				cfg := configured(t, d)
				connected(t, rendered{network: r.network, monitor: r.monitor, budgets: r.budgets[i : i+1]}, d)
				if cfg.Role != role || cfg.NATSURL.Reveal() != c.url || cfg.NATSReplicas != 1 || cfg.NATSSync != 0 || *d.Spec.Replicas != []int32{2, 4}[i] {
					t.Errorf("%s: role %s, %d replicas of the stream, sync %s, %d pods", d.Name, cfg.Role, cfg.NATSReplicas, time.Duration(cfg.NATSSync), *d.Spec.Replicas)
				}
				if d.Name != "hooktail-"+string(role) || r.budgets[i].Name != d.Name {
					t.Errorf("the names are %s and %s", d.Name, r.budgets[i].Name)
				}
				other := r.deployments[1-i].Spec.Template.Labels
				if other["app.kubernetes.io/component"] == d.Spec.Selector.MatchLabels["app.kubernetes.io/component"] {
					t.Errorf("%s selects the pods of the other one", d.Name)
				}
			}
		})
	}
	if _, err := rendering(t, read(t, "scale: {enabled: true}")); err == nil || !strings.Contains(err.Error(), "scale.nats.url") {
		t.Errorf("without the address of NATS: %v", err)
	}
}

// TestNumbersAreWhole: a large number in env reaches the program as it was written.
func TestNumbersAreWhole(t *testing.T) {
	r := render(t, read(t, "env: {HOOKTAIL_PARK_MAX_BYTES: 1073741824, HOOKTAIL_MAX_ATTEMPTS: 5, HOOKTAIL_SEND_SECRETS: true}"))
	cfg := configured(t, r.deployments[0])
	if cfg.ParkMaxBytes != 1<<30 || cfg.MaxAttempts != 5 || !cfg.SendSecrets {
		t.Errorf("HOOKTAIL_PARK_MAX_BYTES=%d, HOOKTAIL_MAX_ATTEMPTS=%d, HOOKTAIL_SEND_SECRETS=%t", cfg.ParkMaxBytes, cfg.MaxAttempts, cfg.SendSecrets)
	}
}

// TestSubchart: the values that Helm passes to the dependency of another chart, as its condition and
// for all of its charts, are accepted.
func TestSubchart(t *testing.T) {
	for _, values := range []string{"enabled: true", "global: {imageRegistry: registry.example.com}"} {
		if _, err := rendering(t, read(t, values)); err != nil {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// TestTextStaysText: what YAML would read as a number or a truth value reaches Kubernetes as text.
func TestTextStaysText(t *testing.T) {
	r := renderAs(t, "20261130", read(t, `database: {secret: "123", key: "true"}`+"\npodMonitor: {enabled: true}\nnetworkPolicy: {enabled: true}"))
	d := r.deployments[0]
	connected(t, r, d)
	from := d.Spec.Template.Spec.Volumes[0].Projected.Sources[0].Secret
	if from.Name != "123" || from.Items[0].Key != "true" || d.Spec.Selector.MatchLabels["app.kubernetes.io/instance"] != "20261130" {
		t.Errorf("secret %q, key %q, selector %v", from.Name, from.Items[0].Key, d.Spec.Selector.MatchLabels)
	}
}

// TestWrongValues: values that Helm would ignore, or render into something else than what
// was meant, are refused by name.
func TestWrongValues(t *testing.T) {
	for values, want := range map[string]string{
		"replicaCount: 3":    "replicaCount",
		"image: {tags: v1}":  "tags",
		"image: {tag: 1.20}": "tag",
		"memory: 128MiB":     "memory",
		"memory: 8":          "memory",
		"grace: 30s":         "grace",
		"setup: \"false\"":   "setup",
		"secrets: {HOOKTAIL_SECRET_KEY: hooktail}":                                                         "HOOKTAIL_SECRET_KEY",
		"database: {secret: \"\"}":                                                                         "secret",
		"secrets: {SECRET_KEY: {secret: a, key: b}}":                                                       "SECRET_KEY",
		"env: {HOOKTAIL_HTTP_HOSTS: [a, b]}":                                                               "HOOKTAIL_HTTP_HOSTS",
		"env: {HOOKTAIL_MEMORY: 512MiB}":                                                                   "set the value memory",
		"env: {HOOKTAIL_GRACE: 60s}":                                                                       "set the value grace",
		"env: {HOOKTAIL_HTTP_ADDR: \":80\"}":                                                               "HOOKTAIL_HTTP_ADDR",
		"env: {HOOKTAIL_DATABASE_URL: postgres://h/d}":                                                     "set the value database",
		"secrets: {HOOKTAIL_DATABASE_URL: {secret: a, key: b}}":                                            "set the value database",
		"secrets: {HOOKTAIL_MEMORY: {secret: a, key: b}}":                                                  "set the value memory",
		"secrets: {HOOKTAIL_HTTP_ADDR: {secret: a, key: b}}":                                               "HOOKTAIL_HTTP_ADDR",
		"secrets: {HOOKTAIL_PROXY: {secret: a, key: b}}\nenv: {HOOKTAIL_PROXY: \"http://p\"}":              "both have HOOKTAIL_PROXY",
		"scale: {enabled: true, nats: {url: nats://n}}\nsecrets: {HOOKTAIL_NATS_URL: {secret: a, key: b}}": "set the value scale.nats.url",
		"scale: {nats: {replicas: 2}}":                                                                     "replicas",
		"scale: {enabled: true, nats: {url: nats://n}}\nenv: {HOOKTAIL_ROLE: both}":                        "set the value scale",
	} {
		if _, err := rendering(t, read(t, values)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names %s", values, err, want)
		}
	}
}

// howTo is the values of docs/how-to/kubernetes.md.
func howTo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/how-to/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, values, found := strings.Cut(string(text), "```yaml\n")
	values, _, _ = strings.Cut(values, "```")
	if !found {
		t.Fatal("docs/how-to/kubernetes.md has no values")
	}
	return strings.ReplaceAll("\n"+values, "\n   ", "\n")
}

// rendered are the objects of a release.
type rendered struct {
	kinds       []string
	deployments []apps.Deployment
	budgets     []policy.PodDisruptionBudget
	network     networking.NetworkPolicy
	monitor     monitoring.PodMonitor
}

func read(t *testing.T, values string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(values), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// rendering is the text of each file.
func rendering(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	return renderingAs(t, "hooktail", values)
}

func renderingAs(t *testing.T, name string, values map[string]any) (map[string]string, error) {
	t.Helper()
	c, err := loader.LoadDir(chart)
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: name, Namespace: "labelstudio", IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

func render(t *testing.T, values map[string]any) rendered {
	t.Helper()
	return renderAs(t, "hooktail", values)
}

func renderAs(t *testing.T, name string, values map[string]any) rendered {
	t.Helper()
	files, err := renderingAs(t, name, values)
	if err != nil {
		t.Fatal(err)
	}
	var r rendered
	for _, name := range []string{"deployment", "networkpolicy", "poddisruptionbudget", "podmonitor"} {
		path := "hooktail/templates/" + name + ".yaml"
		text := files[path]
		delete(files, path)
		for _, text := range strings.Split(text, "\n---\n") {
			if strings.TrimSpace(text) != "" {
				r.add(t, path, name, text)
			}
		}
	}
	delete(files, "hooktail/templates/NOTES.txt")
	delete(files, "hooktail/templates/_helpers.tpl")
	for path := range files {
		t.Errorf("no test knows %s", path)
	}
	return r
}

// add adds the object of that file.
func (r *rendered) add(t *testing.T, path, name, text string) {
	t.Helper()
	var into any
	switch name {
	case "deployment":
		r.deployments = append(r.deployments, apps.Deployment{})
		into = &r.deployments[len(r.deployments)-1]
	case "poddisruptionbudget":
		r.budgets = append(r.budgets, policy.PodDisruptionBudget{})
		into = &r.budgets[len(r.budgets)-1]
	case "networkpolicy":
		into = &r.network
	default:
		into = &r.monitor
	}
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, text)
	}
	var object struct{ Kind string }
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	r.kinds = append(r.kinds, object.Kind)
}

// restricted evaluates the pod as the admission of a namespace does that enforces
// the level "restricted".
func restricted(t *testing.T, d apps.Deployment) {
	t.Helper()
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	pod := d.Spec.Template
	result := podsecurity.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		t.Errorf("not restricted: %s", result.ForbiddenDetail())
	}
	if c := pod.Spec.Containers[0]; c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root file system can be written")
	}
}

// configured loads the environment of the container as the program does, with the
// secrets where they are mounted, and compares it with what the pod is given.
func configured(t *testing.T, d apps.Deployment) config.Config {
	t.Helper()
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	root := t.TempDir()
	for _, source := range pod.Volumes[0].Projected.Sources {
		item := source.Secret.Items[0]
		value := "postgres://127.0.0.1/none"
		switch item.Key {
		case "secret-key":
			value = strings.Repeat("0f", 32)
		case "nats-url":
			value = "nats://user:secret@nats:4222"
		}
		if err := os.WriteFile(filepath.Join(root, item.Path), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var environ []string
	for _, e := range c.Env {
		environ = append(environ, e.Name+"="+strings.Replace(e.Value, c.VolumeMounts[0].MountPath, root, 1))
	}
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	if killed := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; killed <= cfg.Grace {
		t.Errorf("the pod is killed after %s, a stop takes up to %s", killed, cfg.Grace)
	}
	limit := c.Resources.Limits.Memory().Value()
	if limit < 2*int64(cfg.Memory) || c.Resources.Requests.Memory().Value() != limit {
		t.Errorf("memory: request %s, limit %s, HOOKTAIL_MEMORY=%d", c.Resources.Requests.Memory(), c.Resources.Limits.Memory(), cfg.Memory)
	}
	if want := ":8484"; cfg.HTTPAddr != want || c.Ports[0].ContainerPort != 8484 {
		t.Errorf("the program listens on %s, the container's port is %d", cfg.HTTPAddr, c.Ports[0].ContainerPort)
	}
	for name, probe := range map[string]*core.Probe{"/livez": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe.HTTPGet.Path != name || probe.HTTPGet.Port.String() != c.Ports[0].Name {
			t.Errorf("the probe of %s asks %s at %s", name, probe.HTTPGet.Path, &probe.HTTPGet.Port)
		}
	}
	return cfg
}

// connected: the selectors of all objects are labels of the deployment's pods.
func connected(t *testing.T, r rendered, d apps.Deployment) {
	t.Helper()
	labels := d.Spec.Template.Labels
	for kind, selector := range map[string]map[string]string{
		"Deployment":          d.Spec.Selector.MatchLabels,
		"NetworkPolicy":       r.network.Spec.PodSelector.MatchLabels,
		"PodMonitor":          r.monitor.Spec.Selector.MatchLabels,
		"PodDisruptionBudget": budgetLabels(r.budgets),
	} {
		for name, value := range selector {
			if labels[name] != value {
				t.Errorf("%s selects %s=%s, the pods have %q", kind, name, value, labels[name])
			}
		}
	}
	if len(r.monitor.Spec.PodMetricsEndpoints) > 0 && *r.monitor.Spec.PodMetricsEndpoints[0].Port != d.Spec.Template.Spec.Containers[0].Ports[0].Name {
		t.Errorf("the PodMonitor asks the port %s", *r.monitor.Spec.PodMetricsEndpoints[0].Port)
	}
}

func budgetLabels(budgets []policy.PodDisruptionBudget) map[string]string {
	if len(budgets) == 0 {
		return nil
	}
	return budgets[0].Spec.Selector.MatchLabels
}
