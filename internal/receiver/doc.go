// Package receiver receives webhooks and prints them, for people who try hooktail out.
// The command receiver and the demo use it. Delivery does not.
package receiver
