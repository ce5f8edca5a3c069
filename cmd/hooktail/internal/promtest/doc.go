// Package promtest is tests alone: what operators see, the metrics beside what
// receivers and database saw, and the rules and the dashboard of deploy in a real
// Prometheus.
package promtest
