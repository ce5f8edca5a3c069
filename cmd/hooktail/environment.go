package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/display"
)

func environmentTopic() *cobra.Command {
	var b strings.Builder
	const indent = "    "
	b.WriteString(display.Wrap("hooktail is configured by environment variables only. Any of them can be read from "+
		"a file: HOOKTAIL_X_FILE names a file that contains the value of HOOKTAIL_X. Each "+
		"variable is listed with its default.", helpWidth) + "\n\n")
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
	return &cobra.Command{
		Use:   "environment",
		Short: "All variables, their defaults and meanings",
		Long:  strings.TrimRight(b.String(), "\n"),
	}
}
