package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) tailCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tail",
		Short: "Print events as JSON lines from now on, without delivering them",
		Long: "tail reads a temporary slot of its own, so a running hooktail is not disturbed. It prints each event with its\n" +
			"payload, whether or not a hook wants it. It needs the publication, which hooktail setup creates.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			return a.tail(cmd.Context(), cfg)
		},
	}
}

// tail is the path of a change without hooks: each batch is located, rendered
// and printed as it settles.
func (a *app) tail(ctx context.Context, cfg config.Config) error {
	log := a.logger(cfg)
	pool, err := wiring.OpenPool(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	reading, err := wiring.StreamOptions(cfg, log)
	if err != nil {
		return err
	}
	reading.StatusInterval, reading.Timeout = a.StatusInterval, a.StreamTimeout
	reading.Slot, reading.Temporary = fmt.Sprintf("%.40s_tail_%d", cfg.Slot, os.Getpid()), true
	stream := cdc.New(reading)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(stream.Run(ctx))
	}()
	options := wiring.MappingOptions(cfg, log)
	options.CountShare = a.CountShare
	t := &tailer{
		out: a.stdout, stream: stream, settle: cfg.Settle,
		mapper: mapping.NewMapper(options), locator: mapping.NewLocator(pool, options), renderer: mapping.NewRenderer(pool, options),
	}
	err = t.run(ctx)
	cancel(nil)
	<-ended
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
	out      io.Writer
	stream   *cdc.Stream
	settle   time.Duration
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
			if events, err = t.mapper.Events(part, events); err != nil {
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

// print waits for the last of the events to settle, and until the transactions
// can be read.
func (t *tailer) print(ctx context.Context, events []*mapping.Event, xids []uint32) error {
	if len(events) == 0 {
		return nil
	}
	timer := time.NewTimer(time.Until(events[len(events)-1].Due(t.settle)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
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
		line, err := json.Marshal(tailLine{
			ID: e.ID.String(), LSN: e.ID.Commit.String(), Committed: e.Committed.UTC(), Action: e.Action,
			Organization: e.Organization, Project: e.Project, Task: e.Task, Body: e.Body(e.Action, true).Bytes(),
		})
		if err != nil {
			return fmt.Errorf("print event %s: %w", e.ID, err)
		}
		if _, err := fmt.Fprintf(t.out, "%s\n", line); err != nil {
			return fmt.Errorf("print event %s: %w", e.ID, err)
		}
	}
	return nil
}

// tailLine is one event on the terminal.
type tailLine struct {
	ID           string          `json:"id"`
	LSN          string          `json:"lsn"`
	Committed    time.Time       `json:"committed"`
	Action       mapping.Action  `json:"action"`
	Organization int64           `json:"organization,omitempty"`
	Project      int64           `json:"project,omitempty"`
	Task         int64           `json:"task,omitempty"`
	Body         json.RawMessage `json:"body"`
}
