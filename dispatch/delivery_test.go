package dispatch

import (
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

func TestLetterAllocations(t *testing.T) {
	e := dispatchtest.Event(1, 1)
	if n := testing.AllocsPerRun(1000, func() { newSharedEvent(e, 1) }); n > 2 {
		t.Errorf("%v allocations an event, want the shared event and one text", n)
	}
}
