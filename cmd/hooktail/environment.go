package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
)

// environmentTopic is `hooktail help environment`: every variable there is.
func environmentTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "Every variable, its default and meaning",
		Long:  environmentText(),
	}
}

func environmentText() string {
	var b strings.Builder
	b.WriteString("hooktail is configured by environment variables alone. Any of them may come from a file\n" +
		"instead: HOOKTAIL_X_FILE names the file whose content is the value of HOOKTAIL_X.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VARIABLE\tDEFAULT\tMEANING")
	for _, v := range config.Variables() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Default, v.Meaning)
	}
	_ = w.Flush() // into memory
	return strings.TrimRight(b.String(), "\n")
}
