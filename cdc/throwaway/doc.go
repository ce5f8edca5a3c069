// Package throwaway starts PostgreSQL servers that live as long as a
// demonstration, a test or a benchmark: in a temporary directory, on a Unix
// socket only, set up for logical replication, gone afterwards.
//
// It stands beside the path of a change, as the database that the demo and the
// tests read. It knows nothing of Label Studio.
package throwaway
