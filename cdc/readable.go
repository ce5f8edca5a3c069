package cdc

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/internal/postgres"
)

// CanRead reports whether the server can decode everything left in the slot, by decoding
// it without moving the slot. It cannot if a published table was changed while the
// publication was missing because of DROP or RENAME: pgoutput looks it up as of each
// change. The slot must not be in use. The duration depends on the backlog; the server
// uses its disk for what exceeds its memory.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
func CanRead(ctx context.Context, conn *pgx.Conn, slot, publication string) (bool, error) {
	_, err := conn.Exec(ctx, `SELECT count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)`,
		slot, quoteIdent(publication))
	if postgres.Code(err) == postgres.UndefinedObject {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the rest of slot %s: %w", slot, err)
	}
	return true, nil
}
