//go:build long && !soak

package faults

import "github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"

// routes are the straight one, and the one on which each part of a log is a program: a program
// that is both takes no other way.
func routes() []proctest.Route {
	all := proctest.Routes()
	return []proctest.Route{all[0], all[len(all)-1]}
}
