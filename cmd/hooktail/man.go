package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for packagers; users have `hooktail help`.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages into a directory",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(cmd.Root(), args[0])
		},
	}
}

// writeManual writes one page per command in section 1, and one for the variables in
// section 7. Its output is reproducible.
func writeManual(root *cobra.Command, directory string) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Source: "hooktail " + version(), Manual: "hooktail", Date: committed()}
	if err := doc.GenManTree(root, &header, directory); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	topic, _, err := root.Find([]string{"environment"})
	if err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	topic.DisableFlagsInUseLine = true
	// Four spaces keep the columns: the generator reads Markdown.
	topic.Long = "    " + strings.ReplaceAll(topic.Long, "\n", "\n    ")
	header.Title, header.Section = "HOOKTAIL-ENVIRONMENT", "7"
	var page bytes.Buffer
	if err := doc.GenMan(topic, &header, &page); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return os.WriteFile(filepath.Join(directory, "hooktail-environment.7"), page.Bytes(), 0o644)
}

// committed returns the time of the commit from which the program was built. If it is
// unknown, the generator uses SOURCE_DATE_EPOCH or today.
func committed() *time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return &at
		}
	}
	return nil
}
