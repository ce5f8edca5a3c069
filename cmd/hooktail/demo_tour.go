package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	dto "github.com/prometheus/client_model/go"

	"github.com/hooktail/hooktail/mapping"
	"github.com/hooktail/hooktail/testdata"
)

// tourStep is a recorded action of a user of Label Studio.
type tourStep struct {
	title    string
	scenario string
	requests int // that it makes, at all hooks together
}

// tourSteps make all seven actions. The recordings build on each other, ids
// and all, so their order stays.
var tourSteps = []tourStep{
	{"a project is created", "01-project-create", 2},
	{"its title is changed", "02-project-update-title", 4},
	{"a task is created", "07-task-create-post", 4},
	{"one task is imported", "08-import-1", 4},
	{"three tasks are imported", "09-import-3", 12},
	{"three more, as a flat list", "10-import-3-flat", 12},
	{"a CSV file is imported", "11-import-csv-upload", 8},
	{"a text file is imported", "12-import-undefined-txt", 8},
	{"one of its tasks is annotated", "13-annotate-undefined-task", 4},
	{"a task is annotated", "18-annotation-create", 4},
	{"a task is skipped", "19-annotation-create-skip", 4},
	{"an annotation is changed", "20-annotation-update-patch", 4},
	{"an annotated task is skipped", "23-annotation-skip-existing", 4},
	{"a skip is taken back (Label Studio itself sends nothing)", "25-annotation-unskip-convert-to-draft", 4},
	{"a second user annotates", "27-annotation-second-user", 4},
	{"an annotation is deleted", "32-annotation-delete", 4},
	{"a project is deleted, with all that is in it", "62-project-delete", 2},
}

// guideActions are the seven actions of Label Studio's webhooks guide.
var guideActions = []mapping.Action{
	mapping.ProjectCreated, mapping.ProjectUpdated, mapping.TaskCreated, mapping.AnnotationCreated,
	mapping.AnnotationUpdated, mapping.AnnotationsDeleted, mapping.ProjectDeleted,
}

// patience is how long a step of the tour waits for its events.
const patience = 15 * time.Second

// tour plays the steps, each when the one before has arrived.
func (d *demo) tour(ctx context.Context, conn *pgx.Conn, failed <-chan struct{}) error {
	expected := 0
	for _, step := range tourSteps {
		d.receiver.print("\n▸ %s\n", step.title)
		statements, err := testdata.Changes(step.scenario)
		if err != nil {
			return err
		}
		if err := testdata.Play(ctx, conn, statements); err != nil {
			return err
		}
		expected += step.requests
		if err := d.await(ctx, expected, failed); err != nil {
			return fmt.Errorf("%s: %w", step.scenario, err)
		}
	}
	return nil
}

// await returns when that many requests have arrived.
func (d *demo) await(ctx context.Context, requests int, failed <-chan struct{}) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for d.receiver.total() < requests {
		select {
		case <-d.receiver.arrived:
		case <-ctx.Done():
			return ctx.Err()
		case <-failed:
			return errors.New("the sidecar has ended")
		case <-timeout.C:
			return fmt.Errorf("%d of %d requests arrived within %s", d.receiver.total(), requests, patience)
		}
	}
	return nil
}

// summary prints the delivery counts as Prometheus would read them. It is an
// error if one of the seven actions did not arrive.
func (d *demo) summary(s *running) error {
	families, err := s.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	fmt.Fprintln(d.out, "\nDelivery counts (hooktail_deliveries_total)")
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  HOOK\tACTION\tOUTCOME\tCOUNT")
	for _, family := range families {
		if family.GetName() == "hooktail_deliveries_total" {
			for _, m := range family.GetMetric() {
				if n := m.GetCounter().GetValue(); n > 0 {
					l := labels(m)
					fmt.Fprintf(w, "  %s\t%s\t%s\t%.0f\n", l["hook"], l["action"], l["outcome"], n)
				}
			}
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return d.verdict()
}

func labels(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, pair := range m.GetLabel() {
		out[pair.GetName()] = pair.GetValue()
	}
	return out
}

// verdict is the last line.
func (d *demo) verdict() error {
	missing := slices.DeleteFunc(slices.Clone(guideActions), func(a mapping.Action) bool {
		return d.receiver.seen(string(a)) > 0
	})
	fmt.Fprintf(d.out, "\n%d of %d actions delivered\n", len(guideActions)-len(missing), len(guideActions))
	if len(missing) > 0 {
		return fmt.Errorf("not delivered: %v", missing)
	}
	return nil
}
