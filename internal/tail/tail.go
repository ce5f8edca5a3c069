package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/cloudevents"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// Options of a tail. Config, Log and Out are required; zero stands for a default.
type Options struct {
	Config config.Config
	Log    *slog.Logger
	Out    io.Writer // gets one event per line

	CloudEvents bool // each line is a CloudEvent in the JSON format

	StatusInterval time.Duration // of the stream
	StreamTimeout  time.Duration // of the stream
	CountShare     float64       // of the mapping
}

// Run prints the events of all changes committed from now on. Each batch is located,
// rendered and printed once it has settled. Run returns nil when the context ends.
func Run(ctx context.Context, o Options) error {
	pool, err := wiring.OpenPool(ctx, o.Config)
	if err != nil {
		return err
	}
	defer pool.Close()
	from, err := wiring.StreamOptions(o.Config, o.Log)
	if err != nil {
		return err
	}
	from.StatusInterval, from.Timeout = o.StatusInterval, o.StreamTimeout
	from.Slot, from.Temporary = fmt.Sprintf("%.40s_tail_%d", o.Config.Slot, os.Getpid()), true
	stream := cdc.New(from)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading sync.WaitGroup
	reading.Go(func() { cancel(stream.Run(ctx)) })
	options := wiring.MappingOptions(o.Config, o.Log)
	options.CountShare, options.Wanted = o.CountShare, func(mapping.Action) bool { return true }
	t := &tailer{
		Options: o, stream: stream, pool: pool,
		mapper: mapping.NewMapper(options), locator: mapping.NewLocator(pool, options), renderer: mapping.NewRenderer(pool, options),
	}
	err = t.run(ctx)
	cancel(nil)
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, cdc.ErrStopped) {
		return nil
	}
	return err
}

// tailer prints the events of a stream.
type tailer struct {
	Options
	stream   *cdc.Stream
	pool     *pgxpool.Pool
	mapper   *mapping.Mapper
	locator  *mapping.Locator
	renderer *mapping.Renderer
}

func (t *tailer) run(ctx context.Context) error {
	for {
		parts, err := t.stream.Next(ctx)
		if err != nil {
			return err
		}
		var events []*mapping.Event
		var xids []uint32
		for _, part := range parts {
			if events, err = t.events(ctx, part, events); err != nil {
				return err
			}
			xids = append(xids, part.XID)
		}
		if err := t.print(ctx, events, xids); err != nil {
			return err
		}
		for _, part := range parts {
			part.Free()
			if part.Last {
				part.Tx.Close(part.End)
			}
		}
	}
}

// events appends the events of the part.
func (t *tailer) events(ctx context.Context, part *cdc.Part, events []*mapping.Event) ([]*mapping.Event, error) {
	made, err := t.mapper.Events(part, events)
	if !errors.Is(err, mapping.ErrUnproven) {
		return made, err
	}
	keys, err := state.EmitKeys(ctx, t.pool, t.Config.StateSchema) // keys that prove custom events
	if err != nil {
		return nil, err
	}
	t.mapper.Trust(keys)
	return t.mapper.Events(part, events)
}

// print waits until the last event has settled and the transactions are visible, and
// prints the events.
func (t *tailer) print(ctx context.Context, events []*mapping.Event, xids []uint32) error {
	if len(events) == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(events[len(events)-1].Due(t.Config.Settle))):
	}
	if err := t.renderer.Await(ctx, xids); err != nil {
		return err
	}
	if err := t.locator.Locate(ctx, events); err != nil {
		return err
	}
	if err := t.renderer.Render(ctx, events); err != nil {
		return err
	}
	for _, e := range events {
		t.locator.Miss(e)
		text, err := t.line(e)
		if err == nil {
			_, err = fmt.Fprintf(t.Out, "%s\n", text)
		}
		if err != nil {
			return fmt.Errorf("print event %s: %w", e.ID, err)
		}
	}
	return nil
}

// line returns the event as it is printed.
func (t *tailer) line(e *mapping.Event) ([]byte, error) {
	if t.CloudEvents {
		return asCloudEvent(e)
	}
	return json.Marshal(struct {
		ID           string          `json:"id"`
		LSN          string          `json:"lsn"`
		Committed    time.Time       `json:"committed"`
		Action       mapping.Action  `json:"action"`
		Organization int64           `json:"organization,omitempty"`
		Project      int64           `json:"project,omitempty"`
		Task         int64           `json:"task,omitempty"`
		Body         json.RawMessage `json:"body"`
	}{e.ID.String(), e.ID.Commit.String(), e.Committed.UTC(), e.Action, e.Organization, e.Project, e.Task, e.Body(e.Action, true).Bytes()})
}

// asCloudEvent returns the event as a hook with the format cloudevents-structured gets
// it, except for blanks.
func asCloudEvent(e *mapping.Event) ([]byte, error) {
	event := cloudevents.Event{
		ID: e.ID.String(), Action: string(e.Action), Project: e.Project, Task: e.Task,
		Time: e.Committed.UTC().Format(mapping.CommittedLayout),
	}
	text := e.Body(e.Action, true).AppendTo(event.AppendHead(nil))
	var compact bytes.Buffer // one line, even if JSON columns contain line breaks
	err := json.Compact(&compact, append(text, cloudevents.StructuredTail...))
	return compact.Bytes(), err
}
