// Package postgres has what all database sessions share: the accepted connection strings,
// the settings that keep a session from inheriting those of the role or the database, and
// the list of errors that only a person can fix.
//
//	Check       whether the program accepts a connection string
//	Ordinary    the options of a session that runs queries
//	Replication the options of a session that streams
//	Code        the SQLSTATE of an error
//	Remedy      the remedy for an error that only a person can fix
//
// It opens no connection and does not know the program's tables.
package postgres
