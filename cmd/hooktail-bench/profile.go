package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	a := &app{stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	if dir := os.Getenv("PROFILE"); dir != "" {
		cpu := create(dir, "cpu")
		if err := pprof.StartCPUProfile(cpu); err != nil {
			panic(err)
		}
		defer cpu.Close()
		defer write(dir, "allocs", "mem")
		defer pprof.StopCPUProfile()
		go heaps(dir) // until the process ends
	}
	a.execute(ctx, os.Args[1:])
}

// heaps writes heap profiles periodically; the largest is the one to look at.
func heaps(dir string) {
	tick := time.NewTicker(time.Second)
	for n := 0; ; n++ {
		<-tick.C
		write(dir, "heap", fmt.Sprintf("heap%d", n%20))
	}
}

func write(dir, profile, suffix string) {
	file := create(dir, suffix)
	defer file.Close()
	_ = pprof.Lookup(profile).WriteTo(file, 0)
}

func create(dir, suffix string) *os.File {
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.%s", os.Getpid(), suffix)))
	if err != nil {
		panic(err)
	}
	return file
}
`

// profiling writes the overlay for go build, and returns its file.
func profiling(ctx context.Context, dir string) (string, error) {
	program, err := sources(ctx, "cmd/hooktail")
	if err != nil {
		return "", err
	}
	main := filepath.Join(dir, "main.go.txt")
	if err := os.WriteFile(main, []byte(profileMain), 0o600); err != nil {
		return "", fmt.Errorf("write overlay: %w", err)
	}
	overlay := map[string]map[string]string{"Replace": {filepath.Join(program, "main.go"): main}}
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
