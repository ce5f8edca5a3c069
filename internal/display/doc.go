// Package display is how commands print for people: sizes, times, tables and colours,
// the same everywhere.
//
// It stands beside the path of a change. It knows nothing of hooks or deliveries.
package display
