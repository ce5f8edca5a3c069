// Package send makes one attempt to deliver an event: a POST over HTTP/1.1, and what became
// of it.
//
// It knows connections, names, addresses, proxies, TLS and signatures, and nothing of order,
// retries and the store.
//
//	Sender      makes attempts, each within a time-out
//	Message     what one attempt sends
//	Outcome     what became of it: Result, status, the pause that was asked for, Contact
//	Egress      which addresses hooks may reach
//	SigningKey  signs requests; a Keyring encrypts it for the table that it is kept in
//	Exchange    an attempt for a person to look at, without secrets
package send
