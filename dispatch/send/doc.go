// Package send makes one attempt to deliver an event: a POST over HTTP/1.1 and its outcome.
//
// It knows connections, names, addresses, proxies, TLS and signatures, but not order,
// retries or the store.
//
//	Sender      makes attempts, each with a timeout
//	Message     the content of an attempt
//	Outcome     its result: Result, status, requested pause, Contact
//	Egress      the addresses that hooks may reach
//	SigningKey  signs requests; a Keyring encrypts it for storage
//	Exchange    an attempt in a form for people, without secrets
package send
