package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/natslog"
)

// logChecks are the checks of the log, after the one that connects to it.
func logChecks() []check {
	return []check{
		{"nats_version", "", lookAtNATSVersion},
		{"nats_jetstream", "", lookAtJetStream},
		{"nats_stream", "the stream is as setup creates it", lookAtStream},
		{"nats_bucket", "the bucket is as setup creates it", lookAtBucket},
		{"nats_topic", "the topic is as setup creates it", lookAtTopic},
		{"nats_identity", "the log is the one for which the slot was confirmed", lookAtLogIdentity},
		{"nats_sync", "", lookAtSync},
		{"nats_clock", "the clocks of NATS and of this machine agree", lookAtNATSClock},
	}
}

// examineLog makes the checks of the log. Without a connection, that is the only finding.
func (x *examination) examineLog(ctx context.Context) (findings []Finding) {
	var err error
	if x.log, err = x.OpenLog(); err != nil {
		return []Finding{{
			ID: "nats", Severity: Failure, What: err.Error(), Why: "Without a server of the log no event is delivered; the slot keeps the WAL until one answers.",
			Mend: "start the NATS servers, and check HOOKTAIL_NATS_URL and the network",
		}}
	}
	defer x.log.Close()
	findings = append(findings, Finding{ID: "nats", Severity: OK, What: "connected to NATS"})
	for _, c := range logChecks() {
		findings = append(findings, x.make(ctx, c)...)
	}
	return findings
}

func lookAtNATSVersion(_ context.Context, x *examination) ([]Finding, error) {
	if x.log.HasBatches() {
		return fine("NATS is version %s", x.log.Version()), nil
	}
	return one(Failure, fmt.Sprintf("NATS is version %s; hooktail needs 2.12 or newer", x.log.Version()),
		"Older servers do not accept atomic batches, with which a reader shuts out the one before it.",
		"upgrade all NATS servers to 2.12 or newer"), nil
}

// nearlyFull is the share of the account's disk from which a log is reported.
const nearlyFull = 0.8

func lookAtJetStream(ctx context.Context, x *examination) ([]Finding, error) {
	used, most, err := x.log.Disk(ctx)
	switch {
	case errors.Is(err, natslog.ErrNoJetStream):
		return one(Failure, "JetStream is not enabled on the server, or not for the account of this login",
			"The log is a stream of JetStream.", "add jetstream { store_dir: /data } to the configuration of all NATS servers, and JetStream limits to the account"), nil
	case err != nil:
		return nil, err
	case most == 0:
		return fine("JetStream uses %s, and the account has no limit", display.Size(used)), nil
	case float64(used) > nearlyFull*float64(most):
		return one(Warning, fmt.Sprintf("JetStream uses %s of the %s that the account may use", display.Size(used), display.Size(most)),
			"A full log accepts no events. The slot then keeps the WAL on the database's disk.",
			"raise the account's disk limit, or find out with `hooktail status` which hooks are behind"), nil
	}
	return fine("JetStream uses %s of the %s that the account may use", display.Size(used), display.Size(most)), nil
}

// reasons says what a deviation of stream or bucket leads to, by its setting.
var reasons = map[string]string{
	"storage":              "A server that restarts loses what it has in memory.",
	"retention":            "Messages are deleted before they are delivered.",
	"subjects":             "Events are refused, or foreign messages get between them.",
	"discard":              "A full stream drops the oldest events instead of refusing new ones, delivered or not.",
	"max_age":              "Events are deleted at that age, delivered or not.",
	"max_msgs_per_subject": "Events are deleted before they are delivered.",
	"max_msg_size":         "Payloads that do not fit are stored in the database instead; a message whose headers do not fit is refused, and the slot does not advance.",
	"allow_atomic":         "The fence with which a reader begins is refused, and the slot does not advance.",
	"allow_rollup_hdrs":    "One message could replace all others.",
	"sealed":               "A sealed stream accepts no event, and the slot does not advance.",
	"deny_purge":           "Delivered messages are never deleted.",
	"no_ack":               "A reader waits in vain for the servers' answer, and the slot does not advance.",
	"allow_direct":         "A replica that is behind answers, too, and the log seems to have lost its end.",
	"subject_transform":    "Messages come into partitions that do not have their hooks.",
	"num_replicas":         "The log does not survive the loss of as many servers as HOOKTAIL_NATS_REPLICAS promises.",
}

func lookAtStream(ctx context.Context, x *examination) ([]Finding, error) {
	s, err := x.log.Inspect(ctx)
	found, err := x.compare(s, err)
	if len(found) > 0 || err != nil {
		return found, err
	}
	if s.MaxBytes > 0 && float64(s.Bytes) > nearlyFull*float64(s.MaxBytes) {
		return one(Warning, fmt.Sprintf("stream %s has %s, and its limit max_bytes is %s", s.Name, display.Size(int64(s.Bytes)), display.Size(s.MaxBytes)),
			"A full log accepts no events. The slot then keeps the WAL on the database's disk.",
			"raise max_bytes of the stream, or find out with `hooktail status` which hooks are behind"), nil
	}
	return nil, nil
}

func lookAtBucket(ctx context.Context, x *examination) ([]Finding, error) {
	return x.compare(x.log.InspectBucket(ctx))
}

func lookAtTopic(ctx context.Context, x *examination) ([]Finding, error) {
	s, ok, err := x.log.InspectTopic(ctx)
	if !ok && err == nil {
		return fine("events are not published to subscribers (HOOKTAIL_TOPIC)"), nil
	}
	if errors.Is(err, natslog.ErrNoLog) {
		return one(Failure, "the stream of the topic does not exist", "Events cannot be published, so nothing is delivered and the slot does not advance.", "hooktail setup"), nil
	}
	return x.compare(s, err)
}

// compare reports what of a stream is not as setup creates it.
func (x *examination) compare(s natslog.StreamState, err error) (found []Finding, _ error) {
	if errors.Is(err, natslog.ErrNoLog) {
		return one(Failure, strings.TrimSuffix(err.Error(), ": "+natslog.ErrNoLog.Error())+" does not exist", "Readers have nowhere to write events, or senders no place for their bookmarks.", "hooktail setup"), nil
	}
	if err != nil {
		return nil, err
	}
	for _, d := range s.Deviations {
		severity, mend := Failure, s.Update
		if d.Setting == "num_replicas" {
			severity = Warning
		}
		if d.Fixed {
			mend = fmt.Sprintf("stop the readers, wait until everything is delivered, stop the senders; then: nats stream rm -f %s && hooktail setup && hooktail repair", s.Name)
		}
		found = append(found, one(severity, fmt.Sprintf("stream %s has %s %s, and not %s", s.Name, d.Setting, d.Has, d.Wanted), reasons[d.Setting], mend)...)
	}
	if len(s.Behind) > 0 {
		found = append(found, one(Warning, fmt.Sprintf("copies of stream %s are missing or not up to date: servers %s", s.Name, strings.Join(s.Behind, ", ")),
			"Until they catch up, the log survives the loss of fewer servers.", "start these NATS servers, or look into their logs")...)
	}
	return found, nil
}

func lookAtLogIdentity(ctx context.Context, x *examination) ([]Finding, error) {
	here, err := state.Here(ctx, x.conn)
	if err != nil {
		return nil, err
	}
	known, seq, err := state.NewLog(x.conn, x.Config.StateSchema, x.Config.Slot).Stream(ctx)
	if err != nil {
		return nil, err
	}
	gap, _, err := x.log.Changed(ctx, known, seq)
	if err == nil && gap == nil {
		err = x.log.Claim(ctx, here, false)
	}
	switch {
	case errors.Is(err, natslog.ErrNoLog):
		return fine("there was no log yet"), nil
	case errors.Is(err, natslog.ErrForeign):
		return one(Failure, err.Error(), "Readers and senders wait: they would lose events of this database, and deliver those of the other.",
			"use another HOOKTAIL_SLOT or NATS account"), nil
	case err != nil:
		return nil, err
	case gap != nil:
		return one(Failure, gap.Why, "Readers and senders end with exit code 3 until somebody decides what to do about the missing events.", "hooktail repair"), nil
	case known.IsZero():
		return fine("no reader has used the log yet"), nil
	}
	return nil, nil
}

// lookAtSync can only say what must be true: a client does not see the servers' setting.
func lookAtSync(_ context.Context, x *examination) ([]Finding, error) {
	if x.Config.NATSSync == 0 {
		return fine("HOOKTAIL_NATS_SYNC is always: every NATS server must have sync_interval: always, which hooktail cannot see. Otherwise a loss of power loses events"), nil
	}
	return fine("HOOKTAIL_NATS_SYNC is %s: no NATS server may have a longer sync_interval, which hooktail cannot see (the server's default is 2m). Otherwise a loss of power loses events",
		time.Duration(x.Config.NATSSync)), nil
}

func lookAtNATSClock(ctx context.Context, x *examination) ([]Finding, error) {
	ahead, within, err := x.log.Skew(ctx, x.Now)
	if errors.Is(err, natslog.ErrNoLog) {
		return fine("not compared: there is no stream"), nil
	}
	if err != nil {
		return nil, err
	}
	return wrongClock("the clock of NATS", ahead, within,
		"The age of undelivered events in `hooktail status` and metrics is wrong by that much, and so are the times that `hooktail replay` takes."), nil
}
