// Package dispatchtest is a webhook receiver for tests: an HTTP server that follows a
// script, which may make it hostile, and records the requests that it received.
package dispatchtest
