// Command tally reads the events of `go test -json` from standard input. It
// prints a line per package and what failed tests wrote, and puts the count of
// test functions, as "N passed, N failed", into the file that its argument
// names.
//
//	go test -json ./... | go run .ci/tally.go result
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of the input. https://pkg.go.dev/cmd/test2json
type event struct {
	Action     string
	Package    string
	ImportPath string // of a package that is being built
	Test       string
	Elapsed    float64
	Output     string
}

// tally is what the events amount to.
type tally struct {
	out            io.Writer
	passed, failed int
	skipped        []string               // test functions
	output         map[[2]string][]string // by package and test, until it has passed
	broken         map[string]bool        // packages of which a test function failed
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ./... | go run .ci/tally.go FILE")
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, file string) error {
	t := &tally{out: out, output: make(map[[2]string][]string), broken: make(map[string]bool)}
	decoder := json.NewDecoder(in)
	for {
		var e event
		err := decoder.Decode(&e)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		t.add(e)
	}
	for _, name := range t.skipped {
		fmt.Fprintln(out, "skipped:", name)
	}
	result := fmt.Sprintf("%d passed, %d failed\n", t.passed, t.failed)
	if err := os.WriteFile(file, []byte(result), 0o600); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

func (t *tally) add(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e)
		}
		delete(t.output, key)
	}
}

// endTest counts a test function, or shows what a failed subtest wrote.
func (t *tally) endTest(e event) {
	if e.Action == "fail" {
		t.show(e)
		t.broken[e.Package] = true
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
	case "skip":
		t.skipped = append(t.skipped, e.Package+" "+e.Test)
	}
}

// endPackage prints the package's line. One that fails without a test that did
// (it does not build, it panics, it takes too long) counts as one failure.
func (t *tally) endPackage(e event) {
	if e.Action == "fail" && !t.broken[e.Package] {
		t.failed++
		t.showTests(e.Package)
		t.show(e)
	}
	fmt.Fprintf(t.out, "%s\t%s\t%.1fs\n", e.Action, e.Package, e.Elapsed)
}

// showTests prints what the tests wrote that the package's end has cut off.
func (t *tally) showTests(pkg string) {
	for key := range t.output {
		if key[0] == pkg && key[1] != "" {
			t.show(event{Package: pkg, Test: key[1]})
		}
	}
}

func (t *tally) show(e event) {
	fmt.Fprint(t.out, strings.Join(t.output[[2]string{e.Package, e.Test}], ""))
}
