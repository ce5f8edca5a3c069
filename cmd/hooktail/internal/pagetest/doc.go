// Package pagetest tests the status page in Chromium, with the built program, a real
// database, and hooks of all kinds, including hostile ones.
package pagetest
