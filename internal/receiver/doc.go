// Package receiver receives webhooks and prints them, for people who try hooktail out.
// `hooktail receiver` and the demo share it; the running program does not use it.
package receiver
