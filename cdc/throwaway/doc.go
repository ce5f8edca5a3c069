// Package throwaway starts PostgreSQL servers that live as long as a
// demonstration, a test or a benchmark: in a temporary directory, on a Unix
// socket only, set up for logical replication, gone afterwards.
//
// It stands beside the path of a change, as the database that the demo and the
// tests read. It knows nothing of Label Studio.
//
// The shipped program contains it, and github.com/fergusstrange/embedded-postgres
// with it, because `hooktail demo` has to work for someone who has downloaded the
// program and has no PostgreSQL: without the library the demo would end there with
// an error. It adds 0.5 MB to the program's 19.7 MB. No other command uses it, and
// nothing is fetched where a PostgreSQL is installed.
package throwaway
