package dispatch

import "testing"

func TestLetterAllocations(t *testing.T) {
	e := makeEvent(1, 1)
	if n := testing.AllocsPerRun(1000, func() { newLetter(e, 1) }); n > 2 {
		t.Errorf("%v allocations an event, want its letter and one text", n)
	}
}
