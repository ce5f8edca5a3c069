//go:build external && linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithDocker: docker-compose.yml comes up, in the order in which its services wait
// for each other; hooktail runs in it without any privilege, delivers to the receiver,
// and Prometheus sees it. What the file's head says can be tried can be: hooktail alone
// sends, and the receiver may be away for a while.
//
// No registry is asked: hooktail's image is built from deploy/Dockerfile, the others are
// stood in for by this machine's programs. Nothing stands in for Label Studio but its
// tables, and nothing at all for Grafana.
func TestWithDocker(t *testing.T) {
	t.Parallel()
	docker := startDocker(t)
	dir := t.TempDir()
	archive := filepath.Join(dir, "hooktail.tar")
	output(t, "buildah", buildImage(t, dir)("push", "hooktail", "docker-archive:"+archive+":hooktail:latest")...)
	docker.run(t, "load", "--input", archive)
	docker.standIn(t)
	up := docker.compose(t)
	up.run(t, "up", "--detach", "--no-build")
	for service, want := range map[string]string{
		"postgres": "running healthy", "label-studio": "running healthy", "hook": "exited 0",
		"hooktail": "running healthy", "receiver": "running healthy", "prometheus": "running healthy",
	} {
		up.await(t, service, want)
	}
	up.checkPrivileges(t, "hooktail")
	up.checkPrivileges(t, "receiver")

	arrives := func(task string) {
		t.Helper()
		up.annotate(t, task)
		proctest.WaitFor(t, func() error {
			shown := up.run(t, "logs", "--no-color", "receiver")
			if !regexp.MustCompile(`"hooktail/\S+" +"/compose" +ANNOTATION_CREATED +annotation \d+, task ` + task + `\b`).MatchString(shown) {
				return fmt.Errorf("the receiver has not shown the annotation of task %s:\n%s", task, shown)
			}
			return nil
		})
	}
	arrives("7")
	up.run(t, "exec", "-T", "hooktail", "/hooktail", "hooks", "adopt", "--all")
	arrives("8")
	proctest.WaitFor(t, func() error {
		shown := up.run(t, "exec", "-T", "prometheus", "wget", "-q", "-O", "-", `http://127.0.0.1:9090/api/v1/query?query=hooktail_deliveries_total{outcome="delivered"}>0`)
		if !strings.Contains(shown, `"job":"hooktail"`) {
			return fmt.Errorf("Prometheus has no delivery of hooktail's: %s", shown)
		}
		return nil
	})

	up.run(t, "stop", "receiver")
	up.annotate(t, "9")
	up.run(t, "start", "receiver")
	arrives("10")
	if shown := up.run(t, "logs", "--no-color", "receiver"); !strings.Contains(shown, "task 9,") {
		t.Errorf("what happened while the receiver was away has not arrived:\n%s", shown)
	}
	up.run(t, "stop", "hooktail")
	up.await(t, "hooktail", "exited 0")
}

// engine is a Docker engine; its commands have the environment that leads to it.
type engine struct{ environ []string }

// startDocker returns the engine that runs on this machine, or one of the test's own. That
// one has a network of its own: what it does to rules and interfaces ends with it.
func startDocker(t *testing.T) engine {
	t.Helper()
	if exec.Command("docker", "info").Run() == nil {
		return engine{os.Environ()}
	}
	dir, err := os.MkdirTemp("", "engine") // short: its sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	config := filepath.Join(dir, "daemon.json") // not the machine's
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := "unix://" + filepath.Join(dir, "socket")
	daemon := proctest.StartCommand(t, exec.Command("unshare", "--net", "--mount", "sh", "-c", `ip link set lo up && exec dockerd "$@"`, "sh",
		"--config-file", config, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--host", socket, "--bridge", "none", "--storage-driver", "vfs"), os.Environ())
	daemon.Stderr.Find(t, "(API listen on )", daemon.Ended())
	return engine{append(os.Environ(), "DOCKER_HOST="+socket)}
}

func (e engine) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = e.environ, repository
	return cmd
}

// run runs the client, and returns what it says.
func (e engine) run(t *testing.T, args ...string) string {
	t.Helper()
	return said(t, e.command("docker", args...))
}

func said(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// standIn makes an image of that name in which there is nothing but this machine's /usr,
// which compose mounts.
func (e engine) standIn(t *testing.T) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	const users = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n"
	headers := []tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(users))},
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		headers = append(headers, tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "usr/" + name})
	}
	for _, header := range headers {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			if _, err := w.Write([]byte(users)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	load := e.command("docker", "import", "-", "standin")
	load.Stdin = &archive
	said(t, load)
}

// composed is docker-compose.yml on an engine.
type composed struct {
	engine
	args []string
}

// The stand-ins' scripts do what the images' own do as far as the file relies on it.
const (
	standInPostgres = `set -eu
as() { setpriv --reuid 999 --regid 999 --clear-groups "$@"; }
data=/var/lib/postgresql/data
chown 999:999 $data
if [ ! -e $data/PG_VERSION ]; then
	echo "$POSTGRES_PASSWORD" >/tmp/password
	as initdb -D $data -U "$POSTGRES_USER" --pwfile=/tmp/password
	echo "CREATE DATABASE $POSTGRES_DB" | as postgres --single -D $data postgres
	echo "host all all all scram-sha-256" >>$data/pg_hba.conf
	echo "listen_addresses = '*'" >>$data/postgresql.conf
fi
exec setpriv --reuid 999 --regid 999 --clear-groups "$@" -D $data
`
	standInLabelStudio = `set -eu
export PGHOST="$POSTGRE_HOST" PGPORT="$POSTGRE_PORT" PGDATABASE="$POSTGRE_NAME" PGUSER="$POSTGRE_USER" PGPASSWORD="$POSTGRE_PASSWORD"
psql -q -v ON_ERROR_STOP=1 -f /recorded/schema.sql -f /recorded/base.sql -c 'DELETE FROM public.webhook_action' -c 'DELETE FROM public.webhook'
mkdir /tmp/www
touch /tmp/www/health
exec python3 -m http.server --directory /tmp/www 8080
`
)

// compose is the file with stand-ins, and with ports that are free.
func (e engine) compose(t *testing.T) composed {
	t.Helper()
	binaries, err := throwaway.Binaries(context.Background(), "17", nil)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"postgres.sh": standInPostgres, "label-studio.sh": standInLabelStudio} {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var file map[string]any
	readYAML(t, "docker-compose.yml", &file)
	services := file["services"].(map[string]any)
	delete(services, "grafana")
	for _, service := range services {
		s := service.(map[string]any)
		delete(s, "build")
		if ports, has := s["ports"].([]any); has {
			for i, port := range ports {
				ports[i] = regexp.MustCompile(`:\d+:`).ReplaceAllString(port.(string), "::")
			}
		}
	}
	standIn := func(name string, entrypoint []string, mounts ...string) {
		s := services[name].(map[string]any)
		volumes, _ := s["volumes"].([]any)
		for _, mount := range append(mounts, "/usr:/usr:ro", scripts+":/standin:ro") {
			volumes = append(volumes, mount)
		}
		s["image"], s["entrypoint"], s["volumes"] = "standin", entrypoint, volumes
	}
	standIn("postgres", []string{"sh", "/standin/postgres.sh"}, filepath.Dir(binaries)+":/postgres:ro")
	standIn("hook", nil)
	standIn("label-studio", []string{"sh", "/standin/label-studio.sh"}, "./testdata/labelstudio:/recorded:ro")
	standIn("prometheus", []string{"prometheus", "--storage.tsdb.path=/tmp/data"})
	services["postgres"].(map[string]any)["environment"].(map[string]any)["PATH"] = "/postgres/bin:/usr/bin:/usr/sbin"
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(scripts, "compose.yml")
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := composed{e, []string{"--file", changed, "--project-directory", ".", "--project-name", "hooktail-test"}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.run(t, "logs", "--no-color", "--tail=50"))
		}
		c.run(t, "down", "--volumes", "--timeout=2")
	})
	return c
}

func (c composed) run(t *testing.T, args ...string) string {
	t.Helper()
	return said(t, c.command("docker-compose", slices.Concat(c.args, args)...))
}

// container is what the engine says of a service's.
type container struct {
	Config struct{ User string }
	State  struct {
		Status   string
		ExitCode int
		Pid      int
		Health   *struct{ Status string }
	}
}

func (c composed) inspect(t *testing.T, service string) (container, error) {
	t.Helper()
	id := strings.TrimSpace(c.run(t, "ps", "--quiet", service))
	if id == "" {
		return container{}, errors.New("there is no container")
	}
	var all []container
	if err := json.Unmarshal([]byte(c.engine.run(t, "inspect", id)), &all); err != nil {
		t.Fatal(err)
	}
	return all[0], nil
}

// await waits until the service's container is in that state.
func (c composed) await(t *testing.T, service, want string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		its, err := c.inspect(t, service)
		if err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
		got := fmt.Sprint(its.State.Status, " ", its.State.ExitCode)
		if its.State.Health != nil && its.State.Status == "running" {
			got = its.State.Status + " " + its.State.Health.Status
		}
		if got != want {
			return fmt.Errorf("%s: %s, want %s", service, got, want)
		}
		return nil
	})
}

// checkPrivileges asks the kernel what the service's process may do: it is no user of
// the machine's, has no capability and can get none, and cannot write to its root.
func (c composed) checkPrivileges(t *testing.T, service string) {
	t.Helper()
	its, err := c.inspect(t, service)
	if err != nil {
		t.Fatal(err)
	}
	process := filepath.Join("/proc", fmt.Sprint(its.State.Pid))
	status, err := os.ReadFile(filepath.Join(process, "status"))
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile(filepath.Join(process, "mounts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\nUid:\t65532\t65532\t65532\t65532\n`, `\nCapEff:\t0+\n`, `\nCapBnd:\t0+\n`, `\nNoNewPrivs:\t1\n`} {
		if !regexp.MustCompile(want).Match(status) {
			t.Errorf("%s: the process has no %q:\n%s", service, want, status)
		}
	}
	if !regexp.MustCompile(`(?m)^\S+ / \S+ ro\b`).Match(mounts) {
		t.Errorf("%s: the root is not read-only:\n%s", service, mounts)
	}
}

// annotate makes an annotation of the task, as Label Studio would.
func (c composed) annotate(t *testing.T, task string) {
	t.Helper()
	c.run(t, "exec", "-T", "postgres", "psql", "-h", "127.0.0.1", "-U", "labelstudio", "-d", "labelstudio", "-v", "ON_ERROR_STOP=1",
		"-c", strings.ReplaceAll(annotate, "$1", task))
}
