//go:build !long

package faults

import "github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"

func routes() []proctest.Route { return proctest.Routes()[:1] }
