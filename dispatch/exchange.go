package dispatch

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"
)

// Exchange is an attempt for a person to look at.
type Exchange struct {
	Outcome
	Headers []string // names of the request's, in alphabetical order
	Answer  []byte   // how the answer's body begins, with asterisks where it repeats secrets of the hook
}

// shownAnswer is how much of an answer is shown.
const shownAnswer = 512

// Exchange makes one attempt as Send does.
func (s *Sender) Exchange(ctx context.Context, hook *Hook, m Message) Exchange {
	var e Exchange
	e.Outcome = s.exchange(ctx, hook, m, func(body io.ReadCloser) {
		answer, _ := io.ReadAll(io.LimitReader(body, maxAnswer)) // what there is
		discard(body)
		hook.blot(answer)
		e.Answer = answer[:min(len(answer), shownAnswer)]
	})
	e.Headers = s.headerNames(ctx, hook, m)
	return e
}

// headerNames is the names of the request's headers, in alphabetical order.
func (s *Sender) headerNames(ctx context.Context, hook *Hook, m Message) []string {
	keys, _ := s.secrets(hook.ID) // the names do not depend on them being good
	e := s.envelopes.begin(ctx, s.timeout)
	defer s.envelopes.end(e)
	return slices.Sorted(maps.Keys(s.request(e, hook, &m, keys, time.Now()).Header))
}
