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

// errUsage was already reported by the flag set.
var errUsage = errors.New("usage")

// nullCommand is the argument with which this program is the null pipeline: a process of
// its own is measured in the same way as hooktail.
const nullCommand = "null"

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case nullCommand:
			return runNull(ctx, args[1:])
		case natsCommand:
			return runNATS(args[1:])
		case saveCommand:
			return runSave(ctx, args[1:], stdout)
		}
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	return measure(ctx, o, stdout, stderr)
}

// options are the flags of a run.
type options struct {
	scenarios []scenario
	quick     bool
	reps      int           // 0: as the scenario has it
	soak      time.Duration // duration of the scenario soak
	rate      int           // events a second of the soak
	json      string        // file that gets the repetitions; "": none
	into      string        // file whose table is replaced; "": none
	profile   string        // folder for CPU profiles; "": none
	env       []string      // more variables for hooktail
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("hooktail-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	names := flags.String("scenarios", "", "`names` of scenarios to run, separated by commas; empty: all but soak")
	flags.BoolVar(&o.quick, "quick", false, "small loads and few repetitions: two minutes in all, too few for comparisons")
	flags.IntVar(&o.reps, "reps", 0, "repetitions of each scenario; 0: the scenario's own number")
	flags.DurationVar(&o.soak, "soak", 30*time.Minute, "duration of the scenario soak")
	flags.IntVar(&o.rate, "rate", 100, "annotations per second in the scenario soak")
	flags.StringVar(&o.json, "json", "", "write each repetition to this `file`, one JSON object a line")
	flags.StringVar(&o.into, "into", "", "also write the table between the marks in this `file`, such as docs/performance.md")
	flags.StringVar(&o.profile, "profile", "", "write CPU and allocation profiles of hooktail into this `folder`; they slow it down")
	env := flags.String("env", "", "more `variables` for hooktail, as NAME=VALUE, separated by spaces")
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

// chosen returns the named scenarios, in the order in which they run.
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
