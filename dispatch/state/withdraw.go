package state

import (
	"context"

	"github.com/hooktail/hooktail/mapping"
)

// Withdraw removes the events that an interrupted repair has stored under that commit.
func (s *Store) Withdraw(ctx context.Context, commit mapping.ID) error {
	_, err := s.pool.Exec(ctx, s.sql(`WITH gone AS (DELETE FROM {done} WHERE timeline = 0 AND commit_lsn = $1::text::pg_lsn)
		DELETE FROM {parked} WHERE timeline = 0 AND commit_lsn = $1::text::pg_lsn`), commit.Commit.String())
	return wrap(err, "withdraw events of a repair")
}
