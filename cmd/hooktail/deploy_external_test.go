//go:build external && linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// output runs the program and returns what it says; the test fails if it fails.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, args, err, out, &stderr)
	}
	return string(out)
}

// TestWithDockerCompose: docker-compose.yml is one that compose takes.
func TestWithDockerCompose(t *testing.T) {
	t.Parallel()
	services := strings.Fields(output(t, "docker-compose", "-f", filepath.Join(repository, "docker-compose.yml"), "config", "--services"))
	if want := len(readCompose(t).Services); len(services) != want {
		t.Errorf("compose sees the services %q, want %d", services, want)
	}
}

// TestWithHadolint: so is deploy/Dockerfile, and it obeys the linter's rules.
func TestWithHadolint(t *testing.T) {
	t.Parallel()
	output(t, "hadolint", filepath.Join(repository, "deploy/Dockerfile"))
	bad := exec.Command("hadolint", "-")
	bad.Stdin = strings.NewReader("FROM debian\nRUN apt-get install curl\n")
	if out, err := bad.CombinedOutput(); err == nil {
		t.Errorf("the linter finds nothing anywhere: %s", out)
	}
}

// TestWithSystemdAnalyze: the unit has no fault, and exposes little.
func TestWithSystemdAnalyze(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/hooktail.service"))
	if err != nil {
		t.Fatal(err)
	}
	// The only thing that is not on this machine is the program.
	unit := filepath.Join(t.TempDir(), "hooktail.service")
	if err := os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/local/bin/hooktail"), []byte("/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out := output(t, "systemd-analyze", "security", "--offline=yes", "--threshold=15", unit)
	t.Log(regexp.MustCompile(`Overall exposure.*`).FindString(out))
}

// TestWithBuildah: the image of the release is built from deploy/Dockerfile, has
// nothing in it but the program, and delivers: not as root, without a shell, and
// its health check is true.
func TestWithBuildah(t *testing.T) {
	t.Parallel()
	buildah := buildImage(t, t.TempDir())

	var image struct {
		Docker struct {
			RootFS struct {
				Layers []string `json:"diff_ids"`
			} `json:"rootfs"`
			Config struct {
				User        string
				Entrypoint  []string
				Healthcheck struct{ Test []string }
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(output(t, "buildah", buildah("inspect", "--type", "image", "hooktail")...)), &image); err != nil {
		t.Fatal(err)
	}
	if got := image.Docker.Config; got.User != "65532:65532" || len(got.Healthcheck.Test) != 3 || len(got.Entrypoint) != 1 {
		t.Errorf("the image's configuration is %+v", got)
	}

	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	url, out := startReceiver(t)
	db.Exec(t, `INSERT INTO webhook (id, url, headers, organization_id, project_id, send_payload, send_for_all_actions, is_active, created_at, updated_at)
		VALUES (1, $1, '{}', 1, NULL, true, true, true, '2026-01-01', now())`, url+"/image")
	// The server listens on a socket of this file system; the image sees another.
	address := cdctest.NewProxy(t, "unix", server.Socket()).Addr()
	setUpOnce(t, db)
	environ := proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL=postgres://hooktail@"+address+"/"+db.Name+"?sslmode=disable")
	container := strings.TrimSpace(output(t, "buildah", buildah("from", "hooktail")...))
	inside := func(args ...string) *exec.Cmd {
		run := []string{"run", "--isolation", "chroot"}
		for _, variable := range environ {
			run = append(run, "--env", variable)
		}
		cmd := exec.Command("buildah", buildah(slices.Concat(run, []string{container, "--", "/hooktail"}, args)...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the program within is asked to stop, too
		return cmd
	}
	p := proctest.StartCommand(t, inside("run"), os.Environ())
	t.Cleanup(func() { _ = syscall.Kill(-p.PID(), syscall.SIGTERM) }) // it may have ended
	p.Ready(t)
	db.Exec(t, annotate, 7)
	out.Find(t, `/image" +ANNOTATION_CREATED .*`, p.Ended())
	if uids := userOf(t, db.Name, "/hooktail", "run"); !slices.Equal(uids, []string{"65532"}) {
		t.Errorf("the program runs as the users %q", uids)
	}
	environ = append(environ, "HOOKTAIL_HTTP_ADDR="+p.Ops)
	if got := strings.TrimSpace(output(t, "buildah", inside("healthcheck").Args[1:]...)); got != "ok" {
		t.Errorf("healthcheck says %q", got)
	}
}

// buildImage builds the image of the release, as hooktail:latest, into a storage of its
// own in the folder, and returns the arguments of buildah that work on it.
func buildImage(t *testing.T, dir string) (buildah func(args ...string) []string) {
	t.Helper()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s", "-o", filepath.Join(dir, "context", platform, "hooktail"), modulePath+"/cmd/hooktail")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	buildah = func(args ...string) []string {
		return append([]string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "storage"), "--runroot", filepath.Join(dir, "run")}, args...)
	}
	output(t, "buildah", buildah("bud", "--isolation", "chroot", "--format", "docker", "--platform", platform, "--target", "release",
		"--tag", "hooktail", "--file", filepath.Join(repository, "deploy/Dockerfile"), filepath.Join(dir, "context"))...)
	return buildah
}

// userOf is the users of the processes with this command line and this text in
// their environment.
func userOf(t *testing.T, environ string, args ...string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var users []string
	for _, process := range processes {
		line, err := os.ReadFile(process + "/cmdline")
		if err != nil || string(line) != strings.Join(args, "\x00")+"\x00" {
			continue // another one, or it has ended
		}
		if its, err := os.ReadFile(process + "/environ"); err != nil || !strings.Contains(string(its), environ) {
			continue
		}
		status, err := os.ReadFile(process + "/status")
		if err != nil {
			continue
		}
		if uid := regexp.MustCompile(`(?m)^Uid:\s+(\d+)`).FindSubmatch(status); uid != nil {
			users = append(users, string(uid[1]))
		}
	}
	return users
}
