// Package postgres is what all sessions with the database have in common: which
// connection strings are accepted, what a session sets so that it inherits
// nothing from the role or the database, and which errors of the server wait for
// a person.
//
//	Check       whether a connection string is one that the program accepts
//	Ordinary    the options of a session that runs queries
//	Replication the options of a session that streams
//	Code        the SQLSTATE of an error
//	Remedy      what a person does about an error that waiting does not mend
//
// It opens no connection and knows none of the program's tables.
package postgres
