// Command hooktail-bench compares hooktail with the null pipeline, the shortest
// program that reads the same slot and posts every row.
//
//	go run ./cmd/hooktail-bench
//
// starts a throwaway PostgreSQL, builds hooktail, runs the two programs in turns on
// the same loads, and prints a table of ratios in Markdown for docs/performance.md,
// which explains the scenarios. The file that -json names gets a line of JSON for
// each repetition. The program reads processor time and memory from /proc, so it
// needs Linux.
//
// It uses hooktail as users do: the built program, its environment and its tables.
package main
