// Package dispatchtest has a webhook receiver for tests: an HTTP server that follows a
// script, which may make it hostile, and records the requests that it received. It also
// has rows of hooks, a log, and transports without sockets.
package dispatchtest
