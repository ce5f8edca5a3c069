package dispatch

import (
	"bytes"
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
	Answer  []byte   // how the answer's body begins, with *** where it repeats secrets of the hook
}

// shownAnswer is how much of an answer is shown.
const shownAnswer = 512

// Exchange makes one attempt as Send does.
func (s *Sender) Exchange(ctx context.Context, hook *Hook, m Message) Exchange {
	var e Exchange
	e.Outcome = s.exchange(ctx, hook, m, func(body io.ReadCloser) {
		answer, _ := io.ReadAll(io.LimitReader(body, maxAnswer)) // what there is
		discard(body)
		answer = hide(answer, hook)
		e.Answer = answer[:min(len(answer), shownAnswer)]
	})
	keys, _ := s.secrets(hook.ID) // the names do not depend on them being good
	e.Headers = slices.Sorted(maps.Keys(s.request(ctx, hook, m, keys, time.Now()).Header))
	return e
}

// hide masks what the receiver repeats of the hook's headers and its URL's query.
func hide(answer []byte, hook *Hook) []byte {
	const short = 4 // is no secret, and might be anything
	secrets := []string{hook.template.URL.RawQuery}
	for name, values := range hook.template.Header {
		if name != "Content-Type" && name != "User-Agent" {
			secrets = append(secrets, values...)
		}
	}
	for _, secret := range secrets {
		if len(secret) > short {
			answer = bytes.ReplaceAll(answer, []byte(secret), []byte("***"))
		}
	}
	return answer
}
