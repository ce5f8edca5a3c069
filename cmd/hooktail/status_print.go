package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/status"
)

// printStatus is the report for a terminal.
func printStatus(out io.Writer, r *status.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.Running {
		state := "ready"
		if !r.Ready {
			state = "not ready: " + r.Reason
		}
		fmt.Fprintf(w, "hooktail\t%s, %s, %s, for %s\n", r.Version, r.Role, state, span(r.Time.Sub(r.Started).Seconds()))
	} else {
		fmt.Fprintf(w, "hooktail\t%s\n", r.Reason)
	}
	if s := r.Stream; s != nil {
		for _, line := range aboutStream(s, r.Running) {
			fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
		}
	}
	for _, p := range r.Progress {
		fmt.Fprintf(w, "progress\t%s\n", p.About)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	if len(r.Hooks) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	if r.Running {
		fmt.Fprintln(w, "HOOK\tSTATE\tQUEUED\tPARKED\tDEAD\tDELIVERED\tRETRIED\tPER SECOND\tP50\tP99\tURL\tABOUT")
	} else {
		fmt.Fprintln(w, "HOOK\tSTATE\tPARKED\tDEAD\tURL\tABOUT")
	}
	for i := range r.Hooks {
		h := &r.Hooks[i]
		if r.Running {
			fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t%s\t%s\t%s\t%s\n", h.ID, h.State, h.Queued, h.Parked, h.Dead,
				h.Counts.Delivered, h.Counts.Retried, h.Rate, spanOf(h.P50), spanOf(h.P99), h.URL, aboutHook(h, r.Time))
		} else {
			fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%s\t%s\n", h.ID, h.State, h.Parked, h.Dead, h.URL, h.About)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	return nil
}

func aboutStream(s *status.Stream, running bool) [][2]string {
	about := []string{"slot " + s.Slot, "confirmed " + s.Confirmed}
	if s.LagBytes != nil {
		about = append(about, size(*s.LagBytes)+" behind")
	}
	if s.LagSeconds != nil {
		about = append(about, span(*s.LagSeconds)+" late")
	}
	if running && !s.Connected {
		about = append(about, "not connected")
	}
	if s.Active != nil {
		about = append(about, map[bool]string{true: "somebody reads it", false: "nobody reads it"}[*s.Active])
	}
	lines := [][2]string{{"stream", strings.Join(about, ", ")}}
	if s.Retained != nil && s.Safe != nil {
		disk := size(*s.Retained) + " of WAL kept for the slot, "
		switch {
		case s.Lost:
			disk += "and the slot is lost: hooktail repair"
		case *s.Safe == cdc.NoLimit:
			disk += "without a limit: the disk can fill"
		default:
			disk += size(*s.Safe) + " until it is lost"
		}
		lines = append(lines, [2]string{"disk", disk})
	}
	if running {
		lines = append(lines, [2]string{"delivery", fmt.Sprintf("%.1f per second, %s in the lanes, open transactions: %d", s.Rate, size(s.LaneBytes), s.Transactions)})
	}
	return lines
}

// aboutHook is the state in words, and the last error where it matters.
func aboutHook(h *status.Hook, now time.Time) string {
	about := h.About
	if e := h.Error; e != nil && (h.State != "live" || h.Retrying > 0 || e.At.After(h.Last)) {
		about += "; last error " + span(now.Sub(e.At).Seconds()) + " ago: " + aboutError(e)
	}
	return about
}

func aboutError(e *status.Failure) string {
	switch {
	case e.Redirect != "":
		return fmt.Sprintf("%d, which leads to %s: no redirect is followed", e.Status, printable(e.Redirect))
	case e.Status != 0:
		return strings.TrimRight(fmt.Sprintf("%d %s", e.Status, printable(e.Answer)), " ")
	case e.Error != "":
		return e.Error
	default:
		return dash(e.Reason)
	}
}

func spanOf(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return span(*seconds)
}

// printable is text of somebody else, of which nothing can steer the terminal.
func printable(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
