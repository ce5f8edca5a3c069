package faults

import "strings"

// value is what the metrics say of the series, "" if they do not have it.
func value(metrics, series string) string {
	for line := range strings.Lines(metrics) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == series {
			return value
		}
	}
	return ""
}
