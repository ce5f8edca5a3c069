package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// parkingRoom holds the store of parked deliveries. It keeps the store and the lanes
// informed of each other's changes.
type parkingRoom struct {
	*sidecar
	*wiring.Parked

	counted time.Time               // time of the last count
	took    time.Duration           // duration of the last count
	seen    map[int64]state.Setting // by hook, as last passed on
	doubled map[int64]bool          // hooks whose double sender was warned about
}

// openParked opens the store on connections of its own, for a sender's share or, if it is nil,
// for all hooks. It waits for the database. The caller closes it.
func (l *lanes) openParked(ctx context.Context, share *state.Share) error {
	return l.questions.persist(ctx, readParked, func(ctx context.Context) error {
		parked, err := wiring.OpenParked(ctx, l.cfg, l.log, state.Wait{}, share)
		if err != nil {
			return err
		}
		l.parked = &parkingRoom{sidecar: l.sidecar, Parked: parked, doubled: make(map[int64]bool)}
		if l.events != nil {
			l.entries = state.NewLog(parked.Pool, l.cfg.StateSchema, l.cfg.Slot)
		}
		if err = l.parked.check(ctx); err != nil {
			parked.Close()
		}
		return err
	})
}

// readParked says what openParked and lanes.restore do.
const readParked = "read the parked deliveries"

// check returns an error if there are signing secrets but no key to open them, or if the
// tables are a copy whose parked deliveries the original may send too. It makes one
// attempt; the caller waits for the database.
func (p *parkingRoom) check(ctx context.Context) error {
	err := p.Store.CheckCopy(ctx)
	if copied, ok := errors.AsType[*state.CopyError](err); ok {
		p.Log.Error("hooktail's tables are a copy: nothing is sent until you decide what to do with the parked deliveries", "of", copied.Of.String(),
			"here", copied.Here.String(), "deliveries", copied.Parked, "remedy", "hooktail repair --forget-parked, or --keep-parked if the original is gone")
	}
	if err != nil {
		return err
	}
	settings, err := p.Store.Settings(ctx)
	if err != nil {
		return err
	}
	return p.checkKey(p.Signing, settings)
}

// checkKey returns an error if there are signing secrets but no key to open them. Once it has
// returned nil it always does: a secret that somebody sets later only refuses its own hook.
func (s *sidecar) checkKey(signing *wiring.Signing, settings []state.Setting) error {
	err := signing.Check(settings)
	if err == nil {
		s.keyed.Store(true)
	}
	if s.keyed.Load() {
		return nil
	}
	return err
}

// restore passes the stored deliveries to the dispatcher when a term begins. It makes one
// attempt, like check, and has passed nothing if it returns an error.
func (p *parkingRoom) restore(ctx context.Context, d *dispatch.Dispatcher) error {
	settings, err := p.Store.Settings(ctx)
	if err != nil {
		return err
	}
	backlogs, err := p.Store.Backlogs(ctx)
	if err != nil {
		return err
	}
	p.Signing.Update(settings)
	d.Restore(backlogs, settings)
	p.counted, p.seen = time.Now(), byHook(settings) // an earlier request to retry is fulfilled by the term that begins
	return nil
}

// watch passes changes made by people to the dispatcher, until ctx ends.
func (p *parkingRoom) watch(ctx context.Context, d *dispatch.Dispatcher, hooks *hook.Set) {
	var failing logging.Repeat
	p.Store.Watch(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		if err := errors.Join(p.settings(ctx, d), p.redriven(ctx, d), p.recount(ctx, d)); err == nil {
			failing.Worked(ctx, p.Log, "Changes of settings can be read again")
		} else if !errors.Is(ctx.Err(), context.Canceled) {
			failing.Failed(ctx, p.Log, slog.LevelError, "Cannot read changes of settings; trying again", slog.Any("error", err))
		}
		if err := p.warnDoubled(ctx, hooks); err != nil && ctx.Err() == nil {
			p.Log.Debug("cannot check for other senders", "error", err)
		}
		d.Ages()
	})
}

// lookPatience bounds one pass over the tables, whatever their size: the connection may
// be half open.
const lookPatience = 5 * time.Minute

// settings passes on the settings of the hooks. If a hook is no longer suspended, the
// rows are counted first: it may have been resumed because rows were discarded.
func (p *parkingRoom) settings(ctx context.Context, d *dispatch.Dispatcher) error {
	asked, cancel := context.WithTimeout(ctx, attemptPatience)
	defer cancel()
	settings, err := p.Store.Settings(asked)
	if err != nil {
		return err
	}
	before := p.seen
	p.seen = byHook(settings)
	for hook, set := range before {
		if !set.Suspended.IsZero() && p.seen[hook].Suspended.IsZero() {
			p.counted = time.Time{}
			err = p.recount(ctx, d)
			break
		}
	}
	p.Signing.Update(settings)
	d.Settings(settings)
	for _, set := range settings {
		if !set.Retried.Equal(before[set.Hook].Retried) {
			d.Retry(set.Hook)
		}
	}
	return err
}

func byHook(settings []state.Setting) map[int64]state.Setting {
	all := make(map[int64]state.Setting, len(settings))
	for _, set := range settings {
		all[set.Hook] = set
	}
	return all
}

// redrivenAtOnce bounds the rows that are passed on in one step.
const redrivenAtOnce = 1000

// redriven passes on redriven deliveries and retries their hooks immediately.
func (p *parkingRoom) redriven(ctx context.Context, d *dispatch.Dispatcher) error {
	for {
		rows, err := p.tellRedriven(ctx, d)
		if err != nil || rows < redrivenAtOnce {
			return err
		}
	}
}

func (p *parkingRoom) tellRedriven(ctx context.Context, d *dispatch.Dispatcher) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptPatience)
	defer cancel()
	rows, err := p.Store.Redriven(ctx, redrivenAtOnce)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	d.Redriven(rows)
	keys := make([]state.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
		if i == 0 || rows[i].Hook != rows[i-1].Hook {
			d.Retry(rows[i].Hook)
		}
	}
	return len(rows), p.Store.Taken(ctx, keys)
}

// countingShare limits the time spent counting to one part in countingShare, since
// counting reads the whole table.
const countingShare = 20

// recount counts the rows again, since other programs may change them, and deletes the
// oldest dead deliveries of hooks that exceed their bound.
func (p *parkingRoom) recount(ctx context.Context, d *dispatch.Dispatcher) error {
	begun := time.Now()
	if begun.Sub(p.counted) < countingShare*p.took {
		return nil
	}
	var backlogs []state.Backlog
	ctx, cancel := context.WithTimeout(ctx, max(attemptPatience, 4*p.took)) // other changes wait for it
	defer cancel()
	err := d.Recount(ctx, func(work context.Context) (_ []state.Backlog, err error) {
		if ctx.Err() != nil {
			return nil, ctx.Err() // the term has ended
		}
		backlogs, err = p.Store.Backlogs(work)
		return backlogs, err
	})
	p.counted = time.Now()
	p.took = p.counted.Sub(begun)
	if err != nil {
		return err
	}
	return p.trim(ctx, backlogs)
}

// trim deletes the oldest dead deliveries of each hook that exceeds the bound. It
// deletes somewhat more than necessary, so that it need not run at every count.
func (p *parkingRoom) trim(ctx context.Context, backlogs []state.Backlog) error {
	bound := int64(p.cfg.ParkMaxBytes)
	for _, b := range backlogs {
		if b.Dead.Room() <= bound {
			continue
		}
		n, err := p.Store.Trim(ctx, b.Hook, bound-bound/10)
		p.trimmed.Add(float64(n))
		if n > 0 {
			p.Log.Warn("Dead deliveries of a webhook exceed their bound: the oldest were deleted",
				"hook", b.Hook, "deliveries", n, "bound", bound, "remedy", "redrive or discard dead deliveries, or raise HOOKTAIL_PARK_MAX_BYTES")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	expireEvery  = time.Hour        // pause between two searches for expired rows
	expireWithin = 10 * time.Minute // limit for one search: its connection may be half open
	settingGrace = 24 * time.Hour   // how long the settings of a hook outlive it
)

// expire deletes expired dead deliveries and the settings of deleted hooks, until ctx
// ends.
func (p *parkingRoom) expire(ctx context.Context) {
	retry.Always(ctx, expireEvery, func() {
		look, cancel := context.WithTimeout(ctx, expireWithin)
		defer cancel()
		n, err := p.Store.Expire(look, p.cfg.DeadRetention)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.Log.Error("cannot delete expired dead deliveries; trying again", "error", err, "next", expireEvery)
		case n > 0:
			p.Log.Info("expired dead deliveries deleted", "deliveries", n, "older", p.cfg.DeadRetention)
		}
		gone, err := p.prune(look)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.Log.Error("cannot delete the settings of deleted hooks; trying again", "error", err, "next", expireEvery)
		case len(gone) > 0:
			p.Log.Info("settings of deleted hooks deleted", "hooks", gone)
		}
	})
}

// prune deletes the settings of hooks that have been missing from the application's
// table for a day. It reads the table itself rather than what the stream has shown,
// since a hook that the stream does not know may be newer than what was read.
func (p *parkingRoom) prune(ctx context.Context) (gone []int64, err error) {
	var there []int64
	rows, err := p.Pool.Query(ctx, `SELECT id::bigint FROM `+pgx.Identifier{p.cfg.SourceSchema, p.cfg.WebhookTable}.Sanitize())
	if err == nil {
		there, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err != nil {
		return nil, fmt.Errorf("read the hooks: %w", err)
	}
	return p.Store.Prune(ctx, there, settingGrace)
}

// NotSenders lists the names of programs that are known not to be Label Studio, which
// sets no name. psql sets one, and a person at psql sends no webhooks.
func NotSenders() []string { return []string{"hooktail", "psql"} }

// warnDoubled warns once about each hook that hooktail serves and that is active in the
// application, if another program is connected that may be the application. It warns
// again about a hook that was adopted or deactivated and is active again.
func (p *parkingRoom) warnDoubled(ctx context.Context, hooks *hook.Set) error {
	var doubled []int64
	for _, hook := range hooks.All() {
		switch {
		case !hook.Active || !hook.Served() || hook.IsRefused():
			delete(p.doubled, hook.ID)
		case !p.doubled[hook.ID]:
			doubled = append(doubled, hook.ID)
		}
	}
	if len(doubled) == 0 {
		return nil
	}
	sessions, err := cdc.OtherSessions(ctx, p.Pool, NotSenders()...)
	if err != nil || sessions == 0 {
		return err
	}
	for _, hook := range doubled {
		p.doubled[hook] = true
		p.Log.Warn("Webhook is active in Label Studio too: if Label Studio is running on this database, the receiver gets every event twice",
			"hook", hook, "other_sessions", sessions, "remedy", fmt.Sprintf("hooktail hooks adopt %d", hook))
	}
	return nil
}
