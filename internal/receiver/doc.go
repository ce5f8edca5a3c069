// Package receiver is the other end of a webhook, for people who try things out. It
// reads requests as a receiver does, and prints them. `hooktail receiver` and the demo
// share it; the running program does not use it.
package receiver
