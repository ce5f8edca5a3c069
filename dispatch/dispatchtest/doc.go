// Package dispatchtest is a receiver of webhooks for tests: an HTTP server that
// behaves as its script says, hostile where it is told to be, and keeps what it
// received. Beside it are rows of hooks, a log, and transports without sockets.
package dispatchtest
