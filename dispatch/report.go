package dispatch

import (
	"context"
	"fmt"
	"log/slog"
)

// report logs and counts an attempt: a success at DEBUG; the first failure of a hook at
// ERROR, with what follows, and later failures as type failures decides. The log never
// contains the payload, values of headers, or the URL's credentials, path and query.
func (j *journal) report(ctx context.Context, d *delivery, e *ending) {
	j.metrics.attempt(&e.Outcome)
	if e.step == deliver {
		j.metrics.latency(d.sinceCommit(e.at))
		j.failures.succeeded()
		if j.log.Enabled(ctx, slog.LevelDebug) {
			j.log.LogAttrs(ctx, slog.LevelDebug,
				fmt.Sprintf("Run webhook %d for action %s", j.hook, d.Action), //nolint:sloglint // Label Studio's own words, which people search for
				slog.String("event", d.event.String()), slog.Int("attempt", d.attempt), slog.Duration("took", e.Took))
		}
		return
	}
	attrs := append(j.about(d), slog.String("result", e.Result.String()))
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Redirect != "" {
		attrs = append(attrs, slog.String("redirect", e.Redirect))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if e.step == bury {
		level, attrs := j.failures.failed(append(attrs, fate(e.reason)...), true)
		j.log.LogAttrs(ctx, level, "Webhook failed for good: the delivery is dead", attrs...)
		return
	}
	level, attrs := j.failures.failed(append(attrs, slog.Time("next", e.at.Add(e.delay).UTC())), false)
	if e.doubt {
		j.log.LogAttrs(ctx, level, "Webhook failed for good, unless our own network is down: the delivery waits for the decision", attrs...)
		return
	}
	j.log.LogAttrs(ctx, level, "Webhook failed: it will be retried", attrs...)
}

// reportUnsent logs a delivery that died without another attempt.
func (j *journal) reportUnsent(d *delivery, reason Reason) {
	level, attrs := j.failures.failed(append(j.about(d), fate(reason)...), true)
	if d.doubted {
		j.log.LogAttrs(context.Background(), level, "Webhook failed for good: the delivery is dead", append(attrs, slog.String("result", d.trial.result))...)
		return
	}
	j.log.LogAttrs(context.Background(), level, "Webhook not sent: the delivery is dead", attrs...)
}

func (j *journal) about(d *delivery) []slog.Attr {
	return []slog.Attr{
		slog.Int64("hook", j.hook), slog.String("action", string(d.Action)),
		slog.String("event", d.event.String()), slog.Int("attempt", d.attempt),
	}
}

func fate(reason Reason) []slog.Attr {
	return []slog.Attr{slog.String("reason", reason.String()), slog.String("remedy", reason.remedy())}
}
