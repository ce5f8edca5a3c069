package display

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestProgress: on a terminal it is a bar in one line, elsewhere a line every 10 seconds.
func TestProgress(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	steps := func(p *Progress) {
		for i, after := range []time.Duration{time.Second, 2 * time.Second, 2050 * time.Millisecond, 11 * time.Second} {
			p.Step(int64(101+i), begun.Add(after))
		}
		p.End()
		p.End()
	}
	var file strings.Builder
	p := NewProgress(&file, 4, "rows", "id", begun)
	steps(p)
	if want := "4 of 4 rows, 0/s, up to id 104\n"; p.bar != nil || file.String() != want {
		t.Errorf("in a file:\n%q\nwant:\n%q", file.String(), want)
	}
	for name, total := range map[string]int64{"as counted": 4, "more than were counted": 3} {
		var terminal strings.Builder
		p = NewProgress(&terminal, total, "rows", "id", begun)
		p.bar = newBar(&terminal, "rows", total)
		steps(p)
		shown := terminal.String()
		last := shown[strings.LastIndexByte(shown, '\r')+1:]
		if !strings.Contains(last, "100% [===================") || !strings.Contains(last, fmt.Sprintf("(%d/%[1]d", total)) || !strings.Contains(last, fmt.Sprintf("up to id %d", 100+total)) || strings.Count(shown, "\n") != 1 {
			t.Errorf("on a terminal, %s:\n%q", name, shown)
		}
	}
}
