package natslog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestLogOfAnotherDatabase: a database that has never used a log does not begin with one that has
// messages, and goes on with one that it knows.
func TestLogOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	gap, created, err := l.Changed(t.Context(), time.Time{}, 0)
	if gap != nil || err != nil {
		t.Fatalf("an empty log: %v, %v", gap, err)
	}
	newReader(t, l).write(t, 1, 1)
	if _, _, err := l.Changed(t.Context(), time.Time{}, 0); !errors.Is(err, natslog.ErrForeign) {
		t.Errorf("a log with the events of another database: %v", err)
	}
	if gap, _, err := l.Changed(t.Context(), created, 1); gap != nil || err != nil {
		t.Errorf("the own log: %v, %v", gap, err)
	}
}

// TestClaim: the log belongs to the database whose reader was the first, and to no copy of it.
func TestClaim(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	here, copied := state.Identity{System: "1", Database: 5, Name: "ls"}, state.Identity{System: "2", Database: 5, Name: "ls"}
	for _, claim := range []struct {
		by    state.Identity
		first bool
		want  error
	}{
		{here, false, nil}, // a sender leaves it as it is
		{copied, false, nil},
		{here, true, nil},
		{here, true, nil},
		{copied, true, natslog.ErrForeign},
		{copied, false, natslog.ErrForeign},
		{here, false, nil},
	} {
		if err := l.Claim(t.Context(), claim.by, claim.first); !errors.Is(err, claim.want) {
			t.Errorf("%+v: %v", claim, err)
		}
	}
}

// TestClaimAtOnce: the reader and the sender of a process, and another process's, claim a log that is
// nobody's at the same time. It belongs to one database, and all instances of that one agree.
func TestClaimAtOnce(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	ours, theirs := state.Identity{System: "1", Database: 5, Name: "ls"}, state.Identity{System: "2", Database: 5, Name: "ls"}
	for range 20 {
		l := open(t, s)
		claims := make(chan error, 10)
		for n := range cap(claims) {
			here := ours
			if n%5 == 4 {
				here = theirs
			}
			go func() {
				err := l.Claim(t.Context(), here, true)
				if won := l.Claim(t.Context(), here, false); errors.Is(err, natslog.ErrForeign) != errors.Is(won, natslog.ErrForeign) {
					t.Errorf("%s: %v, then %v", here, err, won)
				}
				claims <- err
			}()
		}
		foreign := 0
		for range cap(claims) {
			switch err := <-claims; {
			case errors.Is(err, natslog.ErrForeign):
				foreign++
			case err != nil:
				t.Error(err)
			}
		}
		if foreign != 2 && foreign != 8 {
			t.Errorf("%d claims fail, want those of one database", foreign)
		}
		s.DeleteStream(t, "KV_"+l.Names().Stream)
		if err := l.SetUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
