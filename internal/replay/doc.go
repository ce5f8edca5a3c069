// Package replay sends what is past: a backfill makes events of existing rows and sends
// them to one hook, a resend parks such events for all hooks that want them, and FromLog
// sends a hook again what the log has kept.
package replay
