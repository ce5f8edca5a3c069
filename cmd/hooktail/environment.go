package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/display"
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
	const indent = "    "
	b.WriteString("hooktail is configured by environment variables alone. Any of them may come from\n" +
		"a file: HOOKTAIL_X_FILE names the file that holds the value of HOOKTAIL_X. Each\n" +
		"variable is listed with its default.\n\n")
	for _, v := range config.Variables() {
		byDefault := cmp.Or(v.Default, "(unset)")
		if v.Required {
			byDefault = "(required)"
		}
		fmt.Fprintf(&b, "%s  %s\n", v.Name, byDefault)
		for line := range strings.Lines(display.Wrap(v.Meaning, helpWidth-len(indent))) {
			b.WriteString(indent + strings.TrimSpace(line) + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
