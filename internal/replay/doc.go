// Package replay makes events of rows that exist already: a backfill sends them to one
// hook, and a resend parks them for all hooks that want them.
package replay
