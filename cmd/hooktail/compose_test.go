package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/config"
)

// repository is the root of the sources.
const repository = "../.."

// compose is what the tests read of docker-compose.yml.
type compose struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Profiles []string `yaml:"profiles"`
	Image    string   `yaml:"image"`
	Build    struct {
		Context    string `yaml:"context"`
		Dockerfile string `yaml:"dockerfile"`
	} `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Healthcheck struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	StopGracePeriod time.Duration `yaml:"stop_grace_period"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	readYAML(t, "docker-compose.yml", &c)
	return c
}

// readYAML reads a file of the repository.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestComposeRunsTheProgram: the commands and variables of docker-compose.yml
// are the program's, and it has the time to stop that it takes.
func TestComposeRunsTheProgram(t *testing.T) {
	t.Parallel()
	ours := 0
	for name, service := range readCompose(t).Services {
		if service.Image != "hooktail" {
			continue
		}
		ours++
		if service.Build.Context != "." || service.Build.Dockerfile != "deploy/Dockerfile" {
			t.Errorf("%s: the image is built from %q, %q", name, service.Build.Context, service.Build.Dockerfile)
		}
		if err := commandFault(service.Command); err != nil {
			t.Errorf("%s: %q: %v", name, service.Command, err)
		}
		check := service.Healthcheck.Test
		if len(check) == 0 {
			check = append([]string{"CMD"}, readDockerfile(t).exec(t, "HEALTHCHECK")...)
		}
		if check[0] != "CMD" || check[1] != "/hooktail" {
			t.Errorf("%s: the health check %q is not of the program; the image has no shell", name, check)
		} else if err := commandFault(check[2:]); err != nil {
			t.Errorf("%s: %q: %v", name, check, err)
		}
		if service.Command[0] != "run" {
			continue
		}
		cfg := loadDeployed(t, name, service.Environment)
		if service.StopGracePeriod <= cfg.Grace {
			t.Errorf("%s: is killed %s after it was asked to stop, which takes up to %s", name, service.StopGracePeriod, cfg.Grace)
		}
	}
	if ours != 4 {
		t.Errorf("%d services are the program, want hooktail, receiver, reader and sender", ours)
	}
}

// loadDeployed is the configuration that a deployment gives the program.
func loadDeployed(t *testing.T, where string, environment map[string]string) config.Config {
	t.Helper()
	var environ []string
	for name, value := range environment {
		environ = append(environ, name+"="+value)
	}
	cfg, err := config.Load(environ)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	return cfg
}

// TestComposeFitsTogether: services wait for ones that have a health check, find
// each other's ports, name the same database, and mount files that exist.
func TestComposeFitsTogether(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, service := range c.Services {
		for on, how := range service.DependsOn {
			other, there := c.Services[on]
			if !there {
				t.Errorf("%s depends on %s, which is not there", name, on)
			}
			if how.Condition == "service_healthy" && len(other.Healthcheck.Test) == 0 {
				t.Errorf("%s waits until %s is healthy, which has no health check", name, on)
			}
		}
		for _, mount := range service.Volumes {
			source, _, _ := strings.Cut(mount, ":")
			if !strings.HasPrefix(source, ".") {
				if _, there := c.Volumes[source]; !there {
					t.Errorf("%s: volume %s is not declared", name, source)
				}
			} else if _, err := os.Stat(filepath.Join(repository, source)); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
		}
		for _, port := range service.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network, behind passwords that everybody knows", name, port)
			}
		}
	}

	hooktail := c.Services["hooktail"]
	cfg := loadDeployed(t, "hooktail", hooktail.Environment)
	_, port, err := net.SplitHostPort(cfg.HTTPAddr)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("127.0.0.1:%s:%s", port, port); !slices.Contains(hooktail.Ports, want) {
		t.Errorf("hooktail listens on %s, its ports are %q", cfg.HTTPAddr, hooktail.Ports)
	}
	var prometheus struct {
		ScrapeConfigs []struct {
			Discovered []struct {
				Names []string `yaml:"names"`
				Port  string   `yaml:"port"`
			} `yaml:"dns_sd_configs"`
			StaticConfigs []any `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "deploy/compose/prometheus.yml", &prometheus)
	// Not all of these services run at once, and a fixed target that does not run is an alert.
	scraped := prometheus.ScrapeConfigs[0]
	if len(scraped.StaticConfigs) > 0 || len(scraped.Discovered) != 1 || scraped.Discovered[0].Port != port ||
		!slices.Equal(scraped.Discovered[0].Names, []string{"hooktail", "reader", "sender"}) {
		t.Errorf("Prometheus asks %+v, hooktail listens on %s", scraped, port)
	}

	database, err := pgx.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	server := c.Services["postgres"]
	studio, hook := c.Services["label-studio"].Environment, c.Services["hook"].Environment
	want := []string{"postgres", server.Environment["POSTGRES_DB"], server.Environment["POSTGRES_USER"], server.Environment["POSTGRES_PASSWORD"]}
	for who, got := range map[string][]string{
		"hooktail":     {database.Host, database.Database, database.User, database.Password},
		"label-studio": {studio["POSTGRE_HOST"], studio["POSTGRE_NAME"], studio["POSTGRE_USER"], studio["POSTGRE_PASSWORD"]},
		"hook":         {hook["PGHOST"], hook["PGDATABASE"], hook["PGUSER"], hook["PGPASSWORD"]},
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: host, database, user, password = %q, want %q", who, got, want)
		}
	}
	if !slices.Contains(server.Command, "wal_level=logical") {
		t.Errorf("PostgreSQL runs as %q, without logical replication", server.Command)
	}
}

// TestComposeScales: the profile has a reader and senders on the database and slot of the
// hooktail that they stand for, and a NATS that keeps its files.
func TestComposeScales(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	plain := loadDeployed(t, "hooktail", c.Services["hooktail"].Environment)
	if plain.NATSURL.Reveal() != "" {
		t.Error("hooktail has a log without the profile")
	}
	for name, role := range map[string]config.Role{"reader": config.RoleReader, "sender": config.RoleSender} {
		cfg := loadDeployed(t, name, c.Services[name].Environment)
		if cfg.Role != role || cfg.NATSURL.Reveal() != "nats://nats:4222" || cfg.DatabaseURL.Reveal() != plain.DatabaseURL.Reveal() || cfg.Slot != plain.Slot {
			t.Errorf("%s: role %s, slot %s", name, cfg.Role, cfg.Slot)
		}
	}
	nats := c.Services["nats"]
	store := nats.Command[slices.Index(nats.Command, "--store_dir")+1]
	if !slices.Contains(nats.Command, "--jetstream") || !slices.Contains(nats.Volumes, "nats:"+store) {
		t.Errorf("NATS runs as %q with the volumes %q", nats.Command, nats.Volumes)
	}
	for name, service := range c.Services {
		if scaled := slices.Contains([]string{"nats", "reader", "sender"}, name); scaled != slices.Equal(service.Profiles, []string{"scale"}) {
			t.Errorf("%s has the profiles %q", name, service.Profiles)
		}
	}
}

// TestComposeShowsMetrics: Prometheus reads the rules and Grafana the dashboard from
// where they are mounted, and Grafana asks this Prometheus.
func TestComposeShowsMetrics(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	var prometheus struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	readYAML(t, "deploy/compose/prometheus.yml", &prometheus)
	for _, pattern := range prometheus.RuleFiles {
		if files := c.Services["prometheus"].mounted(t, pattern); len(files) == 0 {
			t.Errorf("Prometheus looks for rules at %s, where nothing is mounted", pattern)
		}
	}
	grafana := c.Services["grafana"]
	var dashboards struct {
		Providers []struct {
			Options struct {
				Path string `yaml:"path"`
			} `yaml:"options"`
		} `yaml:"providers"`
	}
	provider := grafana.mounted(t, "/etc/grafana/provisioning/dashboards/*.yml")
	if len(provider) != 1 {
		t.Fatalf("Grafana's dashboards are provided by %q", provider)
	}
	readYAML(t, provider[0], &dashboards)
	if files := grafana.mounted(t, dashboards.Providers[0].Options.Path+"/*.json"); len(files) == 0 {
		t.Errorf("Grafana looks for dashboards at %s, where nothing is mounted", dashboards.Providers[0].Options.Path)
	}
	if home := grafana.mounted(t, grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]); len(home) != 1 {
		t.Errorf("the first page is mounted from %q", home)
	}
	var sources struct {
		Datasources []struct {
			URL string `yaml:"url"`
		} `yaml:"datasources"`
	}
	readYAML(t, grafana.mounted(t, "/etc/grafana/provisioning/datasources/*.yml")[0], &sources)
	if url := sources.Datasources[0].URL; url != "http://prometheus:9090" || !slices.Contains(c.Services["prometheus"].Ports, "127.0.0.1:9090:9090") {
		t.Errorf("Grafana asks %s, Prometheus has the ports %q", url, c.Services["prometheus"].Ports)
	}
}

// mounted are the files of the repository that the service sees at a path with
// wildcards in its last part.
func (s composeService) mounted(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	for _, mount := range s.Volumes {
		parts := strings.Split(mount, ":")
		rest, below := strings.CutPrefix(pattern, parts[1]+"/")
		single, err := filepath.Match(pattern, parts[1])
		switch {
		case err != nil:
			t.Fatal(err)
		case single:
			found = append(found, parts[0])
		case below:
			files, err := filepath.Glob(filepath.Join(repository, parts[0], rest))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				found = append(found, filepath.ToSlash(filepath.Join(parts[0], filepath.Base(file))))
			}
		}
	}
	return found
}

// TestComposeHook: the hook that the one-shot service makes is one that hooktail
// serves, it is made once, and it points to the receiver.
func TestComposeHook(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	text, err := os.ReadFile(filepath.Join(repository, "deploy/compose/hook.sql"))
	if err != nil {
		t.Fatal(err)
	}
	setUpOnce(t, db)
	db.Exec(t, string(text))
	db.Exec(t, string(text))
	rows, err := db.Connect(t).Query(t.Context(), "SELECT id, url FROM webhook WHERE url LIKE '%receiver:%' AND project_id IS NULL AND is_active")
	if err != nil {
		t.Fatal(err)
	}
	type made struct {
		ID  int64
		URL string
	}
	hooks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[made])
	if err != nil || len(hooks) != 1 {
		t.Fatalf("%d hooks: %v", len(hooks), err)
	}
	receiver := readCompose(t).Services["receiver"].Command
	if !strings.HasPrefix(hooks[0].URL, "http://receiver"+receiver[slices.Index(receiver, "--addr")+1]+"/") {
		t.Errorf("the hook points to %s, the receiver runs as %q", hooks[0].URL, receiver)
	}
	code, stdout, stderr := command(proctest.RoleEnviron(db), "hooks", "show", fmt.Sprint(hooks[0].ID))
	if code != exitDone || !strings.Contains(stdout, hooks[0].URL) || strings.Contains(stdout, "refused") {
		t.Errorf("exit code = %d: %s%s", code, stdout, stderr)
	}
}
