// Package replay makes events from existing rows: a backfill sends them to one hook, and
// a resend parks them for all hooks that want them.
package replay
