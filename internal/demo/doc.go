// Package demo shows hooktail at work. It starts a throwaway PostgreSQL with Label
// Studio's tables, two receivers, and the program between them in this process. It plays
// recorded changes, prints the requests that arrive, and removes everything that it made.
package demo
