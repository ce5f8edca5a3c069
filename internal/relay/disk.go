package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	// diskEvery is the pause between two queries, and diskLimit the age up to which an
	// answer is shown.
	diskEvery = 5 * time.Second
	diskLimit = 30 * time.Second
)

// diskGuard watches how much disk space the slot makes the database keep. One goroutine
// asks; a scrape gets the last answer and never waits for a database that is away. While
// the last answer is too old the metrics are absent: a number that stands still would
// look like health.
type diskGuard struct {
	db   cdc.Querier
	slot string
	log  *slog.Logger

	warned diskWarning // of the goroutine in run

	mu   sync.Mutex
	disk cdc.Disk
	read time.Time // time of the last query that succeeded; zero: none yet
}

// diskWarning records which warnings were logged, so that each is logged once.
type diskWarning struct{ unlimited, short bool }

func newDiskGuard(db cdc.Querier, slot string, log *slog.Logger) *diskGuard {
	return &diskGuard{db: db, slot: slot, log: log}
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
	g.warned = diskWarning{unlimited: unlimited, short: short}
}

// known returns the last answer; ok is false if there is none or it is too old.
func (g *diskGuard) known() (disk cdc.Disk, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.disk, !g.read.IsZero() && time.Since(g.read) <= diskLimit
}

// diskMetrics describes the guard's metrics in the order in which Collect sends them.
func diskMetrics() [3]*prometheus.Desc {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help+fmt.Sprintf(" Absent while the database has not answered for %s.", diskLimit), nil, nil)
	}
	return [...]*prometheus.Desc{
		describe("hooktail_slot_lag_bytes", "WAL from the confirmed position to the end of the database's WAL."),
		describe("hooktail_slot_retained_bytes", "WAL that the database retains for the slot."),
		describe("hooktail_slot_safe_bytes", "WAL that may be written until the slot is lost; -1: max_slot_wal_keep_size is unlimited, and the disk fills instead."),
	}
}

// Describe implements prometheus.Collector.
func (g *diskGuard) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range diskMetrics() {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It does not query the database.
func (g *diskGuard) Collect(ch chan<- prometheus.Metric) {
	disk, ok := g.known()
	if !ok {
		return
	}
	values := [...]float64{float64(disk.End - min(disk.Confirmed, disk.End)), float64(disk.Retained), float64(disk.Safe)}
	for i, d := range diskMetrics() {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, values[i])
	}
}
