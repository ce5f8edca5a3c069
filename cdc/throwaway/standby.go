package throwaway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Standby starts a hot standby of this server, through a physical slot of that name,
// which it creates. It synchronizes the primary's failover slots. Close it before its
// primary. The primary must be PostgreSQL 17 or later.
// https://www.postgresql.org/docs/current/logicaldecoding-explanation.html#LOGICALDECODING-REPLICATION-SLOTS-SYNCHRONIZATION
func (s *Server) Standby(ctx context.Context, slot string) (*Server, error) {
	dir, err := os.MkdirTemp("/tmp", "hooktail-pg-")
	if err != nil {
		return nil, fmt.Errorf("make directory for PostgreSQL: %w", err)
	}
	settings := map[string]string{
		"primary_conninfo":     fmt.Sprintf("host=%s user=postgres dbname=postgres application_name=%s", s.dir, slot),
		"primary_slot_name":    slot,
		"hot_standby_feedback": "on",
		// The feedback names what the synchronized slots need; the default of 10 seconds
		// is too long.
		"wal_receiver_status_interval": "1s",
		"sync_replication_slots":       "on",
	}
	standby := &Server{bin: s.bin, dir: dir, owner: s.owner, args: arguments(dir, Options{Settings: settings})}
	err = s.backup(ctx, filepath.Join(dir, "data"), slot)
	if err == nil {
		err = s.owner.giveAll(dir)
	}
	return standby.started(ctx, err)
}

// backup creates the data directory of a standby, as pg_basebackup does, which is missing
// from some sets of binaries. The WAL comes through the slot.
// https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
func (s *Server) backup(ctx context.Context, to, slot string) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // all that it was for is done, or has failed
	for _, sql := range []string{
		"SELECT pg_create_physical_replication_slot('" + slot + "', true)",
		"SELECT pg_backup_start('standby', true)",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("run %q: %w", sql, err)
		}
	}
	if err := copyCluster(filepath.Join(s.dir, "data"), to); err != nil {
		return fmt.Errorf("copy the cluster: %w", err)
	}
	var label string
	if err := conn.QueryRow(ctx, "SELECT labelfile FROM pg_backup_stop(false)").Scan(&label); err != nil {
		return fmt.Errorf("end the backup: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(to, "backup_label"), []byte(label), 0o600),
		os.WriteFile(filepath.Join(to, "standby.signal"), nil, 0o600),
	)
}

// notCopied are directories whose content belongs to the running server.
var notCopied = []string{"pg_dynshmem", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_wal"}

// copyCluster copies the data directory of a running server. Files that disappear
// meanwhile are not missed: the WAL records it.
func copyCluster(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o700)
		case slices.Contains(notCopied, filepath.Dir(name)), name == "postmaster.pid", name == "postmaster.opts":
			return nil
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600)
	})
}
