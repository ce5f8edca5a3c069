// Package dispatchtest has a webhook receiver for tests: an HTTP server that follows a
// script, if wanted a hostile one, and records its requests. It also has rows of hooks, a
// log, and transports without sockets.
package dispatchtest
