package relay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/status"
)

// Report implements status.Program. It does not query the database.
func (b *board) Report(ctx context.Context, q status.Query) status.Report {
	r := status.Report{
		Version: b.version, Time: time.Now().UTC(), Started: b.began.UTC(), Running: true,
		Hooks: []status.Hook{}, Recent: []status.Attempt{}, Progress: []status.Progress{},
	}
	r.Log = b.watch.report(q)
	fault := b.role.ready()
	if r.Ready = fault == nil; fault != nil {
		r.Reason = fault.Error()
	}
	now := b.role.now()
	stream, beat := now.stream, now.beat
	shown, stopping := b.current()
	switch {
	case stream != nil && shown != nil:
		r.Role = "leader"
	case shown != nil:
		r.Role = "sender"
	case stream != nil && b.cfg.NATSURL.Reveal() != "":
		r.Role, r.Stream = "reader", b.stream(stream.Stats(), beat, nil)
		return r
	case r.Ready:
		r.Role = "standby"
		return r
	default:
		r.Role = "starting"
		return r
	}
	r.Leads = shown.began.UTC()
	r.Overlap, r.Unreadable = shown.remembered(), UnreadableRows(shown.hooks)
	overview := shown.dispatcher.Overview()
	if r.Backfill = shown.backfills.shown(); r.Backfill != nil && !q.Payloads {
		r.Backfill.Error = ""
	}
	if stream != nil {
		r.Stream = b.stream(stream.Stats(), beat, shown)
		r.Progress = append(r.Progress, shown.progress(r.Stream, stream.Stats(), overview, stopping)...)
	}
	answers := make(map[int64]string) // answers to the last failed attempts
	for _, e := range shown.dispatcher.Recent(0, q.Payloads) {
		if e.Latency == 0 {
			answers[e.Hook] = e.Answer
		}
		if e.Seq > q.After {
			r.Recent = append(r.Recent, attemptOf(&e, q.Payloads))
		}
	}
	var wanted []dispatch.Overview
	wanted, r.Tally = choose(overview, q)
	pulses := shown.dispatcher.Pulses()
	for i := range wanted {
		h := hookOf(ctx, &wanted[i], shown)
		if pulse, ok := pulses[h.ID]; ok {
			h.Hour = hourOf(&pulse, q.Pulses)
		}
		if q.Payloads {
			h.URL = wanted[i].Hook.URL.Whole()
		}
		if h.Error != nil && h.Error.Status != 0 {
			h.Error.Answer = answers[h.ID]
		}
		r.Hooks = append(r.Hooks, h)
	}
	return r
}

func (b *board) stream(stats cdc.Stats, beat *heartbeat, shown *shown) *status.Stream {
	s := &status.Stream{
		Slot: b.cfg.Slot, Connected: stats.Connected, Confirmed: stats.Confirmed.String(), ServerEnd: stats.ServerEnd.String(),
		Transactions: stats.Outstanding, QueueBytes: stats.QueueBytes,
		Reconnects: b.role.reconnects(), SystemID: stats.SystemID, Timeline: stats.Timeline,
	}
	if shown != nil { // else it is a reader, which has no lanes
		s.LaneBytes, s.Rate = shown.dispatcher.Bytes(), shown.pace.delivered()
	}
	s.LagSeconds = new(beat.lag().Seconds())
	if age, ok := beat.age(); ok {
		s.Heartbeat, s.HeartbeatAge = new(beat.took().Seconds()), new(age.Seconds())
	}
	if disk, ok := b.guard.known(); ok {
		DescribeDisk(s, disk, max(disk.Confirmed, stats.Confirmed))
	}
	return s
}

func hookOf(ctx context.Context, o *dispatch.Overview, shown *shown) status.Hook {
	h := briefly(o)
	h.Headers = append(h.Headers, shown.sender.HeaderNames(ctx, o.Hook)...)
	h.About = aboutState(o)
	h.Queued, h.InFlight, h.Retrying, h.Draining = o.Queued, o.InFlight, o.Retrying, o.Draining
	h.Bytes = o.Bytes
	h.Oldest, h.Next, h.Last = o.Oldest.UTC(), o.Next.UTC(), o.Delivered.UTC()
	h.Counts = status.Counts{Delivered: o.Counts.Delivered, Retried: o.Counts.Retried, Parked: o.Counts.Parked, Dead: o.Counts.Dead, Filtered: shown.sieve.of(o.Hook.ID)}
	h.Rate = shown.pace.hook(o.Hook.ID).delivered
	if h.Samples = o.Samples; h.Samples > 0 {
		h.P50, h.P99 = new(o.P50.Seconds()), new(o.P99.Seconds())
	}
	if f := o.Failure; f != nil {
		h.Error = &status.Failure{
			At: f.At.UTC(), Event: f.Event.String(), Action: string(f.Action), Result: f.Result, Status: f.Status, Redirect: f.Redirect, Reason: reasonOf(f.Reason),
		}
		if f.Err != nil {
			h.Error.Error = f.Err.Error()
		}
	}
	return h
}

// aboutState describes the state.
func aboutState(o *dispatch.Overview) string {
	switch o.State {
	case dispatch.StateInactive:
		if o.Hook.Active || o.Hook.Adopted {
			return "not served: excluded by HOOKTAIL_DELIVER"
		}
		return "inactive in Label Studio"
	case dispatch.StateFailing:
		return "every attempt fails"
	case dispatch.StateWaiting:
		return "the receiver asked for a pause"
	case dispatch.StateStopped:
		return "the receiver answered 410: nothing is sent until the hook is saved again"
	case dispatch.StateRefused:
		if o.Hook.Fault != "" {
			return "hooktail cannot send to it: " + o.Hook.Fault
		}
		return "hooktail cannot send to it: its signing secret cannot be decrypted"
	case dispatch.StatePaused:
		return "paused by a person: its events are parked"
	case dispatch.StateSuspended:
		return "too much is parked for it: new events are not accepted"
	}
	switch {
	case o.Draining:
		return "receives parked deliveries, then new ones"
	case o.Retrying == 1:
		return "1 delivery waits for another attempt"
	case o.Retrying > 0:
		return fmt.Sprintf("%d deliveries wait for another attempt", o.Retrying)
	default:
		return "working"
	}
}

func attemptOf(e *dispatch.Recent, payloads bool) status.Attempt {
	a := status.Attempt{
		Seq: e.Seq, At: e.At.UTC(), Hook: e.Hook, Event: e.Event.String(), Action: string(e.Action), Project: e.Project, Task: e.Task,
		Annotation: e.Annotation, Committed: e.Committed.UTC(), Attempt: e.Attempt, Outcome: e.Outcome, Result: e.Result, Status: e.Status, Took: e.Took.Seconds(), Next: e.Next.UTC(),
		Reason: reasonOf(e.Reason), Bytes: e.Bytes, Redirect: e.Redirect, Answer: e.Answer, Body: e.HasBody && payloads,
	}
	if e.Of != nil {
		a.URL = e.Of.URL.String()
		if payloads {
			a.URL = e.Of.URL.Whole()
		}
	}
	if e.Err != nil {
		a.Error = e.Err.Error()
	}
	if e.Latency > 0 {
		a.Latency = new(e.Latency.Seconds())
	}
	return a
}

func reasonOf(r dispatch.Reason) string {
	if r == dispatch.ReasonNone {
		return ""
	}
	return r.String()
}

// choose returns the hooks that match the query, and counts all of them. The cost of an
// open page depends on what it shows, not on all hooks.
func choose(all []dispatch.Overview, q status.Query) ([]dispatch.Overview, *status.Tally) {
	brief := make([]*status.Hook, len(all))
	of := make(map[*status.Hook]*dispatch.Overview, len(all))
	for i := range all {
		h := briefly(&all[i])
		brief[i], of[&h] = &h, &all[i]
	}
	tally := status.TallyOf(brief)
	if q.Payloads {
		for h, o := range of {
			h.URL = o.Hook.URL.Whole()
		}
	}
	wanted := slices.DeleteFunc(slices.Clone(brief), func(h *status.Hook) bool { return q.Find != "" && !h.Found(q.Find) })
	tally.Found = len(wanted)
	if q.Hooks > 0 {
		slices.SortFunc(wanted, status.ByNeed)
		wanted = wanted[:min(q.Hooks, len(wanted))]
	}
	isAsked := func(h *status.Hook) bool { return h.ID == q.Hook }
	if i := slices.IndexFunc(brief, isAsked); i >= 0 && !slices.Contains(wanted, brief[i]) {
		wanted = append(wanted, brief[i])
	}
	chosen := make([]dispatch.Overview, len(wanted))
	for i, h := range wanted {
		chosen[i] = *of[h]
	}
	return chosen, tally
}

// briefly returns the hook with its state and its stored deliveries.
func briefly(o *dispatch.Overview) status.Hook {
	h := HookRow(o.Hook)
	h.State, h.Parked, h.Dead, h.Retrying = o.State.String(), int64(o.Parked), int64(o.Dead), o.Retrying
	return h
}
