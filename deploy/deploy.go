// Package deploy holds what is put beside the program where it runs: images, units,
// rules, and the SQL of its role, which the tests apply as an administrator does.
package deploy

import _ "embed" // for Role

// Role is the SQL that makes the role that hooktail runs as, in a database that was
// set up. It may be run again.
//
//go:embed role.sql
var Role string
