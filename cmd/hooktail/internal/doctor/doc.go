// Package doctor checks everything that `hooktail run` needs, and risks that show only
// later. Each finding says what is wrong, why it matters and how to fix it. The package
// only reads, as the role that runs hooktail, and reports what that role may not see.
//
// A check is a named function that returns findings. Each file has one subject:
//
//	connection    both kinds of connections, and poolers in between
//	server        version, wal_level, free slots and connections, clock
//	transactions  long transactions
//	tables        existence, privileges, columns and replica identity; hooktail's own tables
//	publication   its contents and its age
//	slot          existence and state, and how much WAL it may retain
//	hooks         hooks that cannot be served, or are served twice
//	egress        connections to the receivers
package doctor
