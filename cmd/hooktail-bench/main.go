package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintln(os.Stderr, "hooktail-bench:", err)
	return 1
}

// errUsage has been reported by the flags themselves.
var errUsage = errors.New("usage")

// nullCommand runs the null pipeline, in a process of its own that can be measured
// from outside as hooktail is.
const nullCommand = "null"

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == nullCommand {
		return runNull(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == natsCommand {
		return runNATS(args[1:])
	}
	if len(args) > 0 && args[0] == saveCommand {
		return runSave(ctx, args[1:], stdout)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	return measure(ctx, o, stdout, stderr)
}

// options is what a run is told.
type options struct {
	scenarios []scenario
	quick     bool
	reps      int           // 0: what the scenario takes
	soak      time.Duration // of the scenario of that name
	rate      int           // events a second of the soak
	json      string        // file for the repetitions; "": none
	into      string        // file whose table is replaced; "": none
	profile   string        // folder for CPU profiles; "": none
	env       []string      // of hooktail, on top
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("hooktail-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := flags.String("scenarios", "", "the `names` to run, separated by commas; all but soak if empty")
	flags.BoolVar(&o.quick, "quick", false, "small loads, few repetitions: two minutes in all, for a look and not for a comparison")
	flags.IntVar(&o.reps, "reps", 0, "repetitions of each; 0: what each scenario takes")
	flags.DurationVar(&o.soak, "soak", 30*time.Minute, "how long the scenario soak goes on")
	flags.IntVar(&o.rate, "rate", 100, "annotations a second of the scenario soak")
	flags.StringVar(&o.json, "json", "", "write each repetition to this `file`, one JSON object a line")
	flags.StringVar(&o.into, "into", "", "put the table between the marks in this `file` as well, docs/performance.md")
	flags.StringVar(&o.profile, "profile", "", "write CPU and allocation profiles of hooktail into this `folder`; they slow it down")
	env := flags.String("env", "", "`variables` for hooktail on top of the scenarios', NAME=VALUE, separated by blanks")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: hooktail-bench [flags]\n\nscenarios:")
		for _, s := range scenarios() {
			fmt.Fprintf(stderr, "  %-10s %s\n", s.name, s.what)
		}
		fmt.Fprintln(stderr, "\nflags:")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errUsage
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return o, errUsage
	}
	o.env = strings.Fields(*env)
	var err error
	o.scenarios, err = chosen(*names)
	return o, err
}

// chosen are the scenarios of those names, in the order in which they run.
func chosen(names string) ([]scenario, error) {
	all := scenarios()
	if names == "" {
		return slices.DeleteFunc(all, func(s scenario) bool { return s.apart }), nil
	}
	asked := strings.Split(names, ",")
	for _, name := range asked {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("there is no scenario %q; -help lists them", name)
		}
	}
	return slices.DeleteFunc(all, func(s scenario) bool { return !slices.Contains(asked, s.name) }), nil
}
