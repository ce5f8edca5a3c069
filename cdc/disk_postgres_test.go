package cdc

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestDiskOfSlot: what a slot retains grows with the WAL, and what is left is a
// number only where there is a limit; a role without any privilege may ask.
func TestDiskOfSlot(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Settings: map[string]string{
		"max_slot_wal_keep_size": "32MB", "min_wal_size": "32MB", "max_wal_size": "32MB",
	}})
	db, plan := source(t, server)
	db.Exec(t, "CREATE ROLE nobody LOGIN")
	conn := db.Connect(t)
	read := func() Disk {
		t.Helper()
		if _, err := conn.Exec(t.Context(), "SET ROLE nobody"); err != nil {
			t.Fatal(err)
		}
		disk, err := ReadDisk(t.Context(), conn, plan.Slot)
		if err != nil {
			t.Fatal(err)
		}
		return disk
	}
	write := func(megabytes int) {
		db.Exec(t, "SELECT count(pg_logical_emit_message(true, 'x', repeat('x', 1024 * 1024))) FROM generate_series(1, $1::int)", megabytes)
	}
	before := read()
	if before.Confirmed != confirmed(t, db, plan.Slot) || before.Safe <= 0 || before.Lost {
		t.Errorf("of a new slot: %+v", before)
	}
	write(5)
	after := read()
	const written = 5 << 20
	if grown := after.Retained - before.Retained; grown < written || after.End-before.End != LSN(grown) || after.Confirmed != before.Confirmed {
		t.Errorf("after %d bytes: %+v, before them %+v", written, after, before)
	}
	if after.Safe > before.Safe-written {
		t.Errorf("%d bytes are safe after %d more, %d before", after.Safe, written, before.Safe)
	}
	write(64)
	db.Exec(t, "CHECKPOINT")
	if lost := read(); !lost.Lost || lost.Safe != 0 || lost.Retained != 0 {
		t.Errorf("of a lost slot: %+v", lost)
	}
	_, err := ReadDisk(t.Context(), conn, "nosuch")
	checkFault(t, err, SlotMissing, `slot "nosuch" does not exist`)
}

// TestDiskWithoutLimit is how PostgreSQL comes.
func TestDiskWithoutLimit(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	disk, err := ReadDisk(t.Context(), db.Connect(t), plan.Slot)
	if err != nil || disk.Safe != NoLimit || disk.Lost {
		t.Errorf("%+v, %v, want no limit", disk, err)
	}
}
