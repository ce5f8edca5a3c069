package relay

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// TestQuestionsWait: a question is asked again until it has an answer; how long that has
// taken shows, and why; an attempt that gets none at all is bounded.
func TestQuestionsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQuestions(slog.New(slog.DiscardHandler), func(error) bool { return false })
		asked := 0
		answered := make(chan error, 1)
		go func() {
			answered <- q.persist(t.Context(), "read the hooks", func(ctx context.Context) error {
				switch asked++; asked {
				case 1:
					<-ctx.Done() // half open: nobody answers, and nobody says so
					return ctx.Err()
				case 2:
					return errors.New("connection refused")
				}
				_ = retry.Sleep(t.Context(), time.Second)
				return nil
			})
		}()
		_ = retry.Sleep(t.Context(), attemptPatience-time.Second)
		if err := q.overdue(attemptPatience - 2*time.Second); err == nil || !strings.Contains(err.Error(), "read the hooks") {
			t.Errorf("while the first attempt waits: %v", err)
		}
		_ = retry.Sleep(t.Context(), 1500*time.Millisecond)
		if err := q.overdue(attemptPatience); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("after the second attempt: %v", err)
		}
		if err := <-answered; err != nil || asked != 3 {
			t.Errorf("%d attempts: %v", asked, err)
		}
		if err := q.overdue(0); err != nil {
			t.Errorf("with an answer: %v", err)
		}
	})
}

// TestQuestionsOfOneTextAreSeveral: the second one does not make the first one younger, and its
// answer is not that of the first.
func TestQuestionsOfOneTextAreSeveral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQuestions(slog.New(slog.DiscardHandler), func(error) bool { return false })
		first := q.ask("read the hooks")
		_ = retry.Sleep(t.Context(), 20*time.Second)
		second := q.ask("read the hooks")
		_ = retry.Sleep(t.Context(), 20*time.Second)
		if err := q.overdue(30 * time.Second); err == nil {
			t.Error("the first question is as young as the second one")
		}
		second()
		if err := q.overdue(30 * time.Second); err == nil {
			t.Error("the second question's answer is taken for that of the first")
		}
		first()
		if err := q.overdue(0); err != nil {
			t.Errorf("with both answers: %v", err)
		}
	})
}

// TestParkingAsksOnce: what a term asks of hooktail's own tables when it begins is
// repeated in one place, questions, where readiness shows it and the list of what ends the
// program is asked. The room itself makes one attempt.
func TestParkingAsksOnce(t *testing.T) {
	t.Parallel()
	nowhere := url.URL{Scheme: "postgres", User: url.User("u"), Host: "127.0.0.1:1", Path: "/d", RawQuery: "sslmode=disable"}
	pool, err := pgxpool.New(t.Context(), nowhere.String())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	log := slog.New(slog.DiscardHandler)
	room := &parkingRoom{Parked: &wiring.Parked{Store: state.New(state.Options{Pool: pool, Schema: "hooktail", Log: log}), Pool: pool, Log: log}}
	ctx, cancel := context.WithTimeout(t.Context(), attemptPatience)
	defer cancel()
	if err := room.check(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("check of tables that nobody reaches: %v", err)
	}
	if err := room.restore(ctx, nil); err == nil || ctx.Err() != nil {
		t.Errorf("restore from tables that nobody reaches: %v", err)
	}
}
