// Package deploy holds what is put beside the program where it runs: images, units,
// rules, and the SQL of its role, which the tests apply as an administrator does.
package deploy

import (
	_ "embed" // for script
	"strings"
)

//go:embed role.sql
var script string

// Role is the SQL that makes the role that hooktail runs as, in a database that was
// set up: the script without psql's own commands, for any client. It may be run again.
func Role() string {
	var sql strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, `\`) {
			sql.WriteString(line)
		}
	}
	return sql.String()
}
