// Package cdctest gives tests a real PostgreSQL and a network to break: one
// server per test binary, one database per test, and servers and proxies of a
// test's own where it means to damage them.
//
// A test that needs PostgreSQL and cannot have it fails; it never skips.
package cdctest
