package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	diskEvery = 5 * time.Second  // pause between two queries
	diskLimit = 30 * time.Second // age up to which an answer is shown
)

// diskGuard watches how much disk space the slot makes the database keep. One goroutine
// asks; a scrape gets the last answer and never waits for a database that is away. While
// the last answer is too old the metrics are absent: a number that stands still would
// look like health.
type diskGuard struct {
	db   cdc.Querier
	slot string
	log  *slog.Logger

	gauges

	warned struct{ unlimited, short bool } // what the goroutine of run has logged a warning about

	mu   sync.Mutex
	disk cdc.Disk
	read time.Time // time of the last query that succeeded; zero: none yet
}

func newDiskGuard(db cdc.Querier, slot string, log *slog.Logger) *diskGuard {
	g := &diskGuard{db: db, slot: slot, log: log}
	g.gauges = g.metrics
	return g
}

// run asks until ctx ends.
func (g *diskGuard) run(ctx context.Context) {
	retry.Always(ctx, diskEvery, func() { g.look(ctx) })
}

func (g *diskGuard) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, diskEvery)
	defer cancel()
	began := time.Now()
	disk, err := cdc.ReadDisk(ctx, g.db, g.slot)
	if err != nil {
		g.log.Debug("cannot read the slot's retained WAL", "error", err)
		return
	}
	g.mu.Lock()
	g.disk, g.read = disk, began
	g.mu.Unlock()
	g.warn(disk)
}

// warn logs once that the disk is not protected. It logs each time anew that the slot
// will soon be lost, when less than a quarter of what the slot may retain is left.
func (g *diskGuard) warn(disk cdc.Disk) {
	unlimited := disk.Safe == cdc.NoLimit
	if unlimited && !g.warned.unlimited {
		g.log.Warn("max_slot_wal_keep_size is unlimited: while hooktail is away, the slot can fill the database's disk", "remedy", "hooktail doctor")
	}
	short := !unlimited && disk.Safe < (disk.Safe+disk.Retained)/4
	if short && !g.warned.short {
		g.log.Warn("the slot will soon be lost: the database retains WAL for it only up to max_slot_wal_keep_size",
			"slot", g.slot, "retained_bytes", disk.Retained, "safe_bytes", disk.Safe)
	}
	g.warned.unlimited, g.warned.short = unlimited, short
}

// known returns the last answer; ok is false if there is none or it is too old.
func (g *diskGuard) known() (disk cdc.Disk, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.disk, !g.read.IsZero() && time.Since(g.read) <= diskLimit
}

// metrics returns the last answer. It does not query the database.
func (g *diskGuard) metrics() []gauge {
	disk, ok := g.known()
	absent := fmt.Sprintf(" Absent while the database has not answered for %s.", diskLimit)
	return []gauge{
		{"hooktail_slot_lag_bytes", "WAL from the confirmed position to the end of the database's WAL." + absent, float64(disk.End - min(disk.Confirmed, disk.End)), ok},
		{"hooktail_slot_retained_bytes", "WAL that the database retains for the slot." + absent, float64(disk.Retained), ok},
		{"hooktail_slot_safe_bytes", "WAL that may be written until the slot is lost; -1: max_slot_wal_keep_size is unlimited, and the disk fills instead." + absent, float64(disk.Safe), ok},
	}
}
