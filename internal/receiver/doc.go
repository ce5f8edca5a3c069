// Package receiver is the other end of a webhook, for people who try things out: it
// reads requests as a receiver does, and prints them. The command receiver and the
// demo share it. Nothing that hooktail delivers depends on it.
package receiver
