package display

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1_234_567: "1.2 MB", 5_000_000_000: "5 GB", 10_737_418_240: "10.7 GB", 1 << 62: "4.6 EB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 ms", 420 * time.Microsecond: "0.42 ms", 3100 * time.Microsecond: "3.1 ms", 99 * time.Millisecond: "99 ms", 250 * time.Millisecond: "250 ms",
		1234 * time.Millisecond: "1.2 s", 7500 * time.Millisecond: "7.5 s", 9990 * time.Millisecond: "10 s", 89 * time.Second: "89 s", 27 * time.Minute: "27 min", 2 * time.Hour: "2.0 h",
		72 * time.Hour: "3.0 d",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{"1 event": Count(1, "event"), "0 events": Count(0, "event"), "2 deliveries": Count(int64(2), "delivery"), "1 delivery": Count(1, "delivery")} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestColoursAreForTerminals: a file has none, whatever the environment says.
func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only looked at
	if s := NewScreen(file, nil); s.Terminal || s.Colour || s.Width != 0 || s.Paint(Bad, "text") != "text" {
		t.Errorf("a file is %+v", s)
	}
}

// TestColoursOfTerminals: a terminal has them, unless the environment says otherwise.
func TestColoursOfTerminals(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = terminal.Close() }() // only looked at
	for _, c := range []struct {
		environ []string
		want    bool
	}{
		{nil, true},
		{[]string{"NO_COLOR="}, true},
		{[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		{[]string{"TERM=dumb"}, false},
	} {
		if s := NewScreen(terminal, c.environ); !s.Terminal || s.Colour != c.want {
			t.Errorf("%v: %+v", c.environ, s)
		}
	}
}

// TestTable: columns line up with and without colours, nothing is wider than the
// screen, and no cell steers the terminal.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		screen Screen
		want   string
	}{
		{"file", Screen{}, "ID  STATE    URL\n 1  live     http:// /…\n20  failing  -\n      connection refused, and a long word for the width\n"},
		{"colours", Screen{Colour: true}, "ID  STATE    URL\n 1  \x1b[32mlive\x1b[0m     http:// /…\n20  \x1b[31mfailing\x1b[0m  -\n" +
			"      \x1b[2mconnection refused, and a long word for the width\x1b[0m\n"},
		{"narrow", Screen{Width: 30}, "ID  STATE    URL\n 1  live     http:// /…\n20  failing  -\n      connection refused, and\n      a long word for the\n      width\n"},
		{"cut", Screen{Width: 24}, "ID  STATE    URL\n 1  live     http:// …\n20  failing  -\n      connection refused, and a long word for the width\n"},
		{"too narrow", Screen{Width: 20}, "ID  STATE    URL   …\n 1  live     http:/…\n20  failing  -     …\n      connection refused, and a long word for the width\n"},
	} {
		var out strings.Builder
		c.screen.Writer = &out
		table := c.screen.Table("ID", "STATE", "URL")
		table.Row(1, Cell{"live", Good}, "http://\x1b/…")
		table.Row(20, Cell{"failing", Bad}, Text(""))
		table.Note("connection refused,\nand a long word for the width")
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, out.String(), c.want)
		}
	}
}

// TestValuesAreWhole: what has a name is wrapped, not cut.
func TestValuesAreWhole(t *testing.T) {
	t.Parallel()
	narrow := "url:     http://r\n         eceiver\nreason:  the\n         receiver\n         answered\n         503 five\n         times\n"
	for width, want := range map[int]string{
		0:  "url:     http://receiver\nreason:  the receiver answered 503 five times\n",
		30: "url:     http://receiver\nreason:  the receiver\n         answered 503 five\n         times\n",
		19: narrow, 12: narrow, 1: narrow, // a terminal breaks the lines
	} {
		var out strings.Builder
		table := Screen{Writer: &out, Width: width}.Table()
		table.Row("url:", "http://receiver")
		table.Row("reason:", "the receiver answered 503 five times")
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("in %d columns:\n%s\nwant\n%s", width, out.String(), want)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got := Excerpt("a\x1b[31m\nb\xff"+strings.Repeat("é", 80), 20); strings.ContainsAny(got, "\x1b\n") || len([]rune(got)) != 20 {
		t.Errorf("printable text %q", got)
	}
}
