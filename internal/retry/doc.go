// Package retry sleeps and retries for all packages.
//
// It does not know the errors of PostgreSQL or HTTP; callers say which errors are
// worth another attempt.
package retry
