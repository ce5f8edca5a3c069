// Package promtest has only tests. They compare the metrics with what receivers and the
// database recorded, and evaluate the rules and the dashboard of deploy in a real
// Prometheus.
package promtest
