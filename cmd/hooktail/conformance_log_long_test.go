//go:build long

package main

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestConformanceThroughTheLog: so it is where the events go through a log.
func TestConformanceThroughTheLog(t *testing.T) {
	t.Parallel()
	for _, route := range proctest.Logged() {
		t.Run(route.Name, func(t *testing.T) {
			t.Parallel()
			play := newPlayer(t, cdctest.Postgres(t).LabelStudio(t))
			play.log = route.Log(t)
			conformsToGuide(t, play)
		})
	}
}
