// Package deploy contains the files for deployments: image, systemd unit, Helm chart,
// alert rules, and the SQL of the role, which the tests apply as an administrator would.
package deploy

import (
	_ "embed" // for script
	"strings"
)

//go:embed role.sql
var script string

// Role returns the SQL that creates the role with which hooktail runs, in a database that
// was set up: the script without psql's own commands, for any client. It can be repeated.
func Role() string {
	var sql strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, `\`) {
			sql.WriteString(line)
		}
	}
	return sql.String()
}
