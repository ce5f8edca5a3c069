package display

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
)

// Size formats a number of bytes in decimal units with at most one decimal: 10.7 GB.
func Size(bytes int64) string {
	return humanize.SIWithDigits(float64(bytes), 1, "B")
}

// Span formats a duration with two or three digits: 1.2 s, 27 min.
func Span(d time.Duration) string { return Seconds(d.Seconds()) }

// Seconds is Span for a number of seconds.
func Seconds(s float64) string {
	switch {
	case s < 0.0995:
		return fmt.Sprintf("%.2g ms", s*1000)
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 9.95:
		return fmt.Sprintf("%.2g s", s)
	case s < 90:
		return fmt.Sprintf("%.0f s", s)
	case s < 90*60:
		return fmt.Sprintf("%.0f min", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%.1f h", s/3600)
	default:
		return fmt.Sprintf("%.1f d", s/86400)
	}
}

// Time formats a time in UTC with milliseconds, as in RFC 3339; a dash if it is zero.
func Time(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// none is shown in a table for a missing value.
const none = "-"

// Text returns the text, or a dash if it is empty.
func Text(text string) string { return cmp.Or(text, none) }

// ID formats the id of a row; a dash if it is 0.
func ID(id int64) string {
	if id == 0 {
		return none
	}
	return strconv.FormatInt(id, 10)
}

// Count formats a number of things: 1 event, 2 events, 0 deliveries.
func Count[N ~int | ~int64](n N, of string) string {
	switch {
	case n == 1:
	case len(of) > 1 && of[len(of)-1] == 'y':
		of = of[:len(of)-1] + "ies"
	default:
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}
