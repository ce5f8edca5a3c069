// Package doctor looks at everything that `hooktail run` needs and at what will hurt
// later, and says of each thing what is, why it matters and how it is mended. It reads
// only, as the role that runs hooktail, and says what that role may not see.
//
// A check is a named function that returns findings. The files go by subject:
//
//	connection    that there is one, of either kind, and what stands between
//	server        version, wal_level, what is free, clock
//	disk          how much WAL a slot may retain, and for how long
//	transactions  what is open for long
//	tables        that they are there, may be read, and have columns and identity
//	state         hooktail's own tables
//	publication   what is published, and since when
//	slot          that it is there, and how it is
//	hooks         rows of hooks that cannot be served, or are served twice
//	egress        the way to the receivers
package doctor
