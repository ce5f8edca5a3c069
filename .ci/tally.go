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
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

func (e event) key() [2]string { return [2]string{e.Package, e.Test} }

// tally is what the events amount to.
type tally struct {
	out     io.Writer
	ended   map[string]int         // test functions, by action
	skipped []string               // test functions
	output  map[[2]string][]string // by package and test, until it has passed
	broken  map[string]bool        // packages of which a test function failed
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
	t := &tally{out: out, ended: map[string]int{}, output: map[[2]string][]string{}, broken: map[string]bool{}}
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
	result := fmt.Sprintf("%d passed, %d failed\n", t.ended["pass"], t.ended["fail"])
	if err := os.WriteFile(file, []byte(result), 0o600); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

func (t *tally) add(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "output":
		t.output[e.key()] = append(t.output[e.key()], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e)
		}
		delete(t.output, e.key())
	}
}

// endTest counts a test function, or shows what a failed subtest wrote.
func (t *tally) endTest(e event) {
	if e.Action == "fail" {
		t.show(e.key())
		t.broken[e.Package] = true
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	t.ended[e.Action]++
	if e.Action == "skip" {
		t.skipped = append(t.skipped, e.Package+" "+e.Test)
	}
}

// endPackage prints the package's line. One that fails without a test that did
// (it does not build, it panics, it takes too long) counts as one failure, and
// shows what the tests wrote that the package's end has cut off.
func (t *tally) endPackage(e event) {
	if e.Action == "fail" && !t.broken[e.Package] {
		t.ended["fail"]++
		for key := range t.output {
			if key[0] == e.Package && key[1] != "" {
				t.show(key)
			}
		}
		t.show(e.key())
	}
	fmt.Fprintf(t.out, "%s\t%s\t%.1fs\n", e.Action, e.Package, e.Elapsed)
}

func (t *tally) show(key [2]string) { fmt.Fprint(t.out, strings.Join(t.output[key], "")) }
