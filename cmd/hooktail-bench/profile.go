package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// profileMain replaces hooktail's main for profiles, so that the released program contains
// none of it. At its end it writes the profiles into the folder named in the environment.
const profileMain = `package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if dir := os.Getenv("PROFILE"); dir != "" {
		end := profile(dir)
		defer end()
	}
	environ := []string{}
	for _, e := range os.Environ() {
		environ = append(environ, e)
	}
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: environ}
	a.execute(ctx, os.Args[1:])
}

func profile(dir string) func() {
	name := fmt.Sprintf("%d", os.Getpid())
	cpu, err := os.Create(filepath.Join(dir, name+".cpu"))
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	stop := make(chan struct{})
	go heaps(name, dir, stop)
	return func() {
		close(stop)
		pprof.StopCPUProfile()
		mem, err := os.Create(filepath.Join(dir, name+".mem"))
		if err != nil {
			panic(err)
		}
		_ = pprof.Lookup("allocs").WriteTo(mem, 0)
		_ = mem.Close()
		_ = cpu.Close()
	}
}

// heaps writes heap profiles periodically; the largest is the one to look at.
func heaps(name, dir string, stop <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		heap, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s.heap%d", name, n%20)))
		if err != nil {
			panic(err)
		}
		_ = pprof.Lookup("heap").WriteTo(heap, 0)
		_ = heap.Close()
	}
}
`

// profiling writes the overlay for go build, and returns its file.
func profiling(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/hooktail/hooktail/cmd/hooktail").Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of hooktail: %w", err)
	}
	main := filepath.Join(dir, "main.go.txt")
	if err := os.WriteFile(main, []byte(profileMain), 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	overlay := map[string]map[string]string{"Replace": {filepath.Join(strings.TrimSpace(string(out)), "main.go"): main}}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	return name, nil
}
