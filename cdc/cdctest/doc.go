// Package cdctest gives tests a real PostgreSQL and a network that they can break: one
// server per test binary, one database per test, and private servers and proxies for
// tests that damage them.
//
// If PostgreSQL is not available, the test fails; it never skips.
package cdctest
