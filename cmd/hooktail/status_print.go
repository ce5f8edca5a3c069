package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
)

// printStatus prints the report for people.
func printStatus(screen display.Screen, r *status.Report) error {
	table := screen.Table()
	switch {
	case !r.Running:
		table.Row("hooktail", r.Reason)
	case r.Ready:
		table.Row("hooktail", display.Cell{Text: fmt.Sprintf("%s, %s, ready, for %s", r.Version, r.Role, display.Span(r.Time.Sub(r.Started))), Tone: display.Good})
	default:
		table.Row("hooktail", display.Cell{Text: fmt.Sprintf("%s, %s, not ready: %s, for %s", r.Version, r.Role, r.Reason, display.Span(r.Time.Sub(r.Started))), Tone: display.Bad})
	}
	for _, line := range slices.Concat(aboutStream(r.Stream, r.Running), r.Log.Lines()) {
		table.Row(line[0], line[1])
	}
	for _, p := range r.Progress {
		table.Row("progress", p.About)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(r.Hooks) == 0 {
		return nil
	}
	fmt.Fprintln(screen)
	return printHookStates(screen, r)
}

// printHookStates prints one line per hook, those that need attention first and with the
// reason.
func printHookStates(screen display.Screen, r *status.Report) error {
	header := []any{"HOOK", "STATE", "PARKED", "DEAD", "URL"}
	if r.Running {
		header = []any{"HOOK", "STATE", "QUEUED", "PARKED", "DEAD", "DELIVERED", "P99", "URL"}
	}
	table := screen.Table(header...)
	for _, h := range byNeed(r.Hooks) {
		if r.Running {
			table.Row(h.ID, stateCell(h), h.Queued, h.Parked, h.Dead, h.Counts.Delivered, spanOf(h.P99), maskedURL(h.URL))
		} else {
			table.Row(h.ID, stateCell(h), h.Parked, h.Dead, maskedURL(h.URL))
		}
		if note := noteOn(h, r); note != "" {
			table.Note(note)
		}
	}
	return table.Flush()
}

func aboutStream(s *status.Stream, running bool) [][2]string {
	if s == nil {
		return nil
	}
	about := []string{"slot " + s.Slot, "confirmed " + s.Confirmed}
	if s.LagBytes != nil {
		about = append(about, display.Size(*s.LagBytes)+" behind")
	}
	if s.LagSeconds != nil {
		about = append(about, display.Seconds(*s.LagSeconds)+" late")
	}
	if running && !s.Connected {
		about = append(about, "not connected")
	}
	if s.Active != nil {
		about = append(about, map[bool]string{true: "in use", false: "not in use"}[*s.Active])
	}
	lines := [][2]string{{"stream", strings.Join(about, ", ")}}
	if s.Retained != nil && s.Safe != nil {
		disk := display.Size(*s.Retained) + " of WAL retained for the slot, "
		switch {
		case s.Lost:
			disk += "and the slot is lost: hooktail repair"
		case *s.Safe == cdc.NoLimit:
			disk += "without a limit: the disk can fill up"
		default:
			disk += display.Size(*s.Safe) + " until it is lost"
		}
		lines = append(lines, [2]string{"disk", disk})
	}
	if running {
		lines = append(lines, [2]string{"delivery", fmt.Sprintf("%.1f per second, %s in the lanes, open transactions: %d", s.Rate, display.Size(s.LaneBytes), s.Transactions)})
	}
	return lines
}

func spanOf(seconds *float64) string {
	if seconds == nil {
		return display.Text("")
	}
	return display.Seconds(*seconds)
}
