//go:build long

package faults

import "github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"

func routes() []proctest.Route { return proctest.Routes() }

// mostAhead is how many events a load is ahead of the first hook at most, so that
// a slow machine does not pile them up.
const mostAhead = 3000
