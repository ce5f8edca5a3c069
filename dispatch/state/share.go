package state

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Share is the partitions of a log that a sender has, and its epoch. A Store with a Share
// reads the settings and the deliveries of the hooks of these partitions alone, and each of
// its transactions checks that the epoch of all of them is still the sender's.
type Share struct {
	Slot       string
	Partitions []int
	Epoch      int64
}

// ErrDeposed says that another sender has taken a partition of the Share.
var ErrDeposed = errors.New("another sender has taken the partition")

// Partitions is the number of partitions of a slot's log, a power of two. A hook's is its
// id, as an unsigned number, modulo Partitions.
const Partitions = 64

// inPartitions is the condition that a row's hook is in one of the partitions of the
// parameter; null: any.
func inPartitions(parameter string) string {
	return "(" + parameter + "::int[] IS NULL OR (hook_id & " + strconv.Itoa(Partitions-1) + ") = ANY (" + parameter + "))" // % keeps the sign
}

// check locks the epochs until the transaction ends, so that a takeover waits for it.
func (s *Share) check(ctx context.Context, tx pgx.Tx, schema string) error {
	if s == nil {
		return nil
	}
	var held int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM `+quote(schema, "log_partition")+`
		WHERE slot = $1 AND partition = ANY ($2) AND epoch = $3 FOR SHARE) AS held`, s.Slot, s.Partitions, s.Epoch).Scan(&held)
	if err == nil && held != len(s.Partitions) {
		return ErrDeposed
	}
	return wrap(err, "check the epoch")
}

// TakeShare raises the epoch of the partitions, to more than above, for the sender whose session
// has their advisory locks: it has to be called on that session. It waits for transactions of the
// sender before.
func TakeShare(ctx context.Context, q Querier, schema, slot string, partitions []int, above int64) (*Share, error) {
	share := &Share{Slot: slot, Partitions: partitions}
	table := quote(schema, "log_partition")
	err := q.QueryRow(ctx, `WITH next AS (SELECT greatest(max(epoch), $3) + 1 AS epoch FROM `+table+` WHERE slot = $1),
			taken AS (INSERT INTO `+table+` AS p (slot, partition, epoch) SELECT $1, given, next.epoch FROM unnest($2::int[]) AS given, next
				ON CONFLICT (slot, partition) DO UPDATE SET epoch = excluded.epoch RETURNING p.epoch)
		SELECT max(epoch) FROM taken`, slot, partitions, above).Scan(&share.Epoch)
	return share, wrap(err, "take partitions")
}
