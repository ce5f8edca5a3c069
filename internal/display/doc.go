// Package display formats the commands' output for people: sizes, times, tables and
// colours, the same way everywhere.
//
// It is not on the path of a change, and does not know hooks or deliveries.
package display
