package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// LogOptions selects the events of the log and the hook. Config, Parked, Log, Hook and
// Progress are required.
type LogOptions struct {
	Config  config.Config
	Version string // program version, for receivers
	Parked  *wiring.Parked
	Log     *natslog.Log

	Hook         int64
	Project      int64          // 0: all
	Action       mapping.Action // in either spelling; "": all
	Since, Until time.Time      // of the commit; zero: no bound. Until is exclusive.
	After        uint64         // only messages behind that position of the log
	Every        time.Duration  // pause between requests
	DryRun       bool           // send nothing

	Progress func(total int64) Progress // called once; it gets the positions of messages
}

// FromLog sends a hook again the events that the log has kept, one at a time, with their
// ids and bodies.
type FromLog struct {
	*recipient
	o       LogOptions
	history *natslog.History

	Last uint64 // position in the log up to which all is done
}

// CheckKeep returns an error with the remedy if the configuration has no log that keeps
// anything.
func CheckKeep(cfg config.Config) error {
	switch {
	case cfg.NATSURL.Reveal() == "":
		return &config.Error{Err: errors.New("replay reads the log, and there is none: set HOOKTAIL_NATS_URL and HOOKTAIL_KEEP for the events to come; `hooktail backfill` makes creation events from the tables")}
	case cfg.Keep == 0:
		return &config.Error{Err: errors.New("the log keeps nothing that is delivered: set HOOKTAIL_KEEP, for example to 168h, for the events to come; `hooktail backfill` makes creation events from the tables")}
	}
	return nil
}

// clockSlack is how far the clock of the NATS servers may be behind the database's.
const clockSlack = time.Hour

// NewFromLog makes sure that the hook can be sent to, and opens the log. The caller closes
// it.
func NewFromLog(ctx context.Context, o LogOptions) (*FromLog, error) {
	to, err := newRecipient(o.Parked, o.Config, o.Version, o.Hook, o.Every)
	if err != nil {
		return nil, err
	}
	r := &FromLog{recipient: to, o: o, Last: o.After}
	to.dryRun, to.wants = o.DryRun, r.wants
	if err = r.renew(ctx); err == nil {
		err = wiring.CheckLogOwner(ctx, o.Log, o.Parked.Pool, false)
	}
	if err == nil {
		written := o.Since
		if !written.IsZero() {
			written = written.Add(-clockSlack)
		}
		r.history, err = o.Log.History(ctx, natslog.HistoryOptions{Hook: o.Hook, Since: written, After: o.After})
	}
	if err != nil {
		to.Close()
		return nil, err
	}
	r.progress = o.Progress(r.history.Total)
	return r, nil
}

// Close closes the connections to the receiver, and ends reading.
func (r *FromLog) Close() {
	r.history.Close()
	r.recipient.Close()
}

// wants makes sure that the hook, as just read, gets events.
func (r *FromLog) wants() error {
	if !r.hook.Served() {
		return fmt.Errorf("hook %d gets no events: it is inactive, or HOOKTAIL_DELIVER=%s leaves it to Label Studio (see `hooktail hooks list`)", r.id, r.o.Config.Deliver)
	}
	return nil
}

// Run sends the events, in the order of the log.
func (r *FromLog) Run(ctx context.Context) error {
	defer r.progress.End()
	for {
		m, err := r.history.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.refresh(ctx); err != nil {
			return err
		}
		if err := r.message(ctx, m); err != nil {
			return err
		}
		r.Last = m.Seq
		r.progress.Step(int64(m.Seq), time.Now())
	}
}

// message sends the message's event if it is chosen.
func (r *FromLog) message(ctx context.Context, m *natslog.Message) error {
	target, has := m.TargetOf(r.id)
	if !has || !r.means(m.Event, target) {
		return nil
	}
	m.Event.Organization = r.hook.Organization // which the log does not say
	now, wanted := r.hook.TargetOf(m.Event)
	if !wanted {
		r.Passed++
		return nil
	}
	if m.Stored && (!r.o.DryRun || now.Filter != nil) {
		if err := r.load(ctx, m); err != nil {
			return err
		}
	}
	target.Filter = now.Filter
	return r.deliver(ctx, fmt.Sprintf("message %d of the log", m.Seq), m.Event, target, func() send.Message { return Again(m, target) })
}

// means reports whether the event is among those that were asked for.
func (r *FromLog) means(e *mapping.Event, target hook.Target) bool {
	return (r.o.Project == 0 || e.Project == r.o.Project) && (r.o.Action == "" || e.Action == r.o.Action || target.Action == r.o.Action) &&
		(r.o.Since.IsZero() || !e.Committed.Before(r.o.Since)) && (r.o.Until.IsZero() || e.Committed.Before(r.o.Until))
}

// load reads a payload that was too large for the log.
func (r *FromLog) load(ctx context.Context, m *natslog.Message) (err error) {
	m.Event.Payload, err = state.NewLog(r.Pool, r.config.StateSchema, r.config.Slot).Payload(ctx, m.Event.ID.String())
	if err == nil && m.Event.Payload == nil {
		err = fmt.Errorf("the payload of event %s is missing in table log_body: --after %d continues behind it", m.Event.ID, m.Seq)
	}
	return err
}

// Again is the request that sends the hook the event of the log again.
func Again(m *natslog.Message, target hook.Target) send.Message {
	e := m.Event
	return send.Message{
		ID: e.ID.String(), LSN: e.ID.Commit.String(), Committed: e.Committed.UTC().Format(mapping.CommittedLayout), Origin: "replay",
		Body: e.Body(target.Action, target.Payload), Action: target.Action, Project: e.Project, Task: e.Task,
	}
}
