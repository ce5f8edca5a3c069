// Command hooktail-bench measures hooktail beside the null pipeline: the shortest
// program that reads the same slot and posts what it reads.
//
//	go run ./cmd/hooktail-bench
//
// starts a throwaway PostgreSQL, builds hooktail, lets the two take turns at the
// same loads, and prints a table of ratios in Markdown for docs/performance.md,
// where the scenarios are explained. Each repetition is a line of JSON in the file
// that -json names. Processor time and memory are read from /proc, so it measures on
// Linux alone.
//
// It knows hooktail as its users do: the built program, its environment, its
// tables.
package main
