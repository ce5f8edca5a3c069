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
