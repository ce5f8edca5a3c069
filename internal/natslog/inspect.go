package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Version returns the version of the connected server.
func (l *Log) Version() string { return l.conn.ConnectedServerVersion() }

// HasBatches reports whether the connected server accepts atomic batches, which need
// version 2.12.
func (l *Log) HasBatches() bool {
	var major, minor int
	_, err := fmt.Sscanf(l.Version(), "%d.%d", &major, &minor)
	return err == nil && (major > 2 || major == 2 && minor >= 12)
}

// ErrNoJetStream says that the server, or the login's account, has no JetStream.
var ErrNoJetStream = errors.New("JetStream is not enabled")

// Disk returns how many bytes the account's streams use, and how many they may use; most
// is 0 if the account has no limit.
func (l *Log) Disk(ctx context.Context) (used, most int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	info, err := l.js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return 0, 0, ErrNoJetStream
	}
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the account: %w", err)
	}
	tier := info.Tier
	if own, ok := info.Tiers[fmt.Sprintf("R%d", l.o.Replicas)]; ok {
		tier = own
	}
	return int64(tier.Store), max(0, tier.Limits.MaxStore), nil
}

// Skew returns by how much the clock of the stream's server is ahead of this machine's,
// and the uncertainty of that.
func (l *Log) Skew(ctx context.Context, now func() time.Time) (ahead, within time.Duration, err error) {
	asked := now()
	info, err := l.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	took := now().Sub(asked)
	return info.TimeStamp.Sub(asked.Add(took / 2)), took / 2, nil
}

// Deviation is a setting of the stream, or of the bucket's stream, that is not as SetUp
// makes it.
type Deviation struct {
	Setting string // as in the server's JSON
	Has     string
	Wanted  string
	Fixed   bool // it can only be changed by creating the stream again
}

// StreamState is a stream that is compared with what SetUp creates.
type StreamState struct {
	Name       string
	Deviations []Deviation
	Behind     []string // servers that have a copy and are offline, or not up to date
	Update     string   // a shell command that changes what can be changed
	MaxBytes   int64    // limit at which the log accepts no more; 0: none
	Bytes      uint64
}

// Inspect compares the stream with what SetUp creates. If it is missing, the error is
// ErrNoLog.
func (l *Log) Inspect(ctx context.Context) (StreamState, error) {
	return l.inspect(ctx, l.names.StreamConfig(l.o.Replicas))
}

// InspectBucket is Inspect for the bucket.
func (l *Log) InspectBucket(ctx context.Context) (StreamState, error) {
	return l.inspect(ctx, l.names.bucketStream(l.o.Replicas))
}

// InspectTopic is Inspect for the topic; ok is false if events are not published. What a full
// topic does, and how it is read, is not compared: that is for its administrator to choose.
func (l *Log) InspectTopic(ctx context.Context) (s StreamState, ok bool, err error) {
	if l.o.Topic == nil {
		return StreamState{}, false, nil
	}
	s, err = l.inspect(ctx, l.names.TopicConfig(*l.o.Topic, l.o.Replicas))
	s.Deviations = slices.DeleteFunc(s.Deviations, func(d Deviation) bool { return d.Setting == "discard" || d.Setting == "allow_direct" })
	return s, true, err
}

func (l *Log) inspect(ctx context.Context, want jetstream.StreamConfig) (StreamState, error) {
	stream, err := l.stream(ctx, want.Name)
	if err != nil {
		return StreamState{}, err
	}
	info := stream.CachedInfo()
	have := info.Config
	s := StreamState{Name: want.Name, Deviations: deviations(have, want), Bytes: info.State.Bytes, MaxBytes: max(0, have.MaxBytes)}
	if info.Cluster != nil {
		for _, r := range info.Cluster.Replicas {
			if r.Offline || !r.Current {
				s.Behind = append(s.Behind, r.Name)
			}
		}
	}
	have.Subjects, have.Discard, have.MaxAge, have.Replicas, have.AllowAtomicPublish = want.Subjects, want.Discard, want.MaxAge, want.Replicas, want.AllowAtomicPublish
	have.MaxMsgsPerSubject, have.MaxMsgSize, have.AllowRollup = want.MaxMsgsPerSubject, want.MaxMsgSize, want.AllowRollup
	have.NoAck, have.AllowDirect, have.SubjectTransform = want.NoAck, want.AllowDirect, want.SubjectTransform
	body, err := json.Marshal(have)
	if err != nil {
		return StreamState{}, fmt.Errorf("print stream %s: %w", want.Name, err)
	}
	s.Update = fmt.Sprintf("nats request '$JS.API.STREAM.UPDATE.%s' '%s'", want.Name, strings.ReplaceAll(string(body), "'", `'\''`))
	return s, nil
}

// deletes names the settings by which the servers delete messages that are not delivered.
func (l *Log) deletes(have jetstream.StreamConfig) string {
	var settings []string
	for _, d := range deviations(have, l.names.StreamConfig(l.o.Replicas)) {
		if slices.Contains([]string{"retention", "discard", "max_age", "max_msgs_per_subject"}, d.Setting) {
			settings = append(settings, d.Setting+" "+d.Has)
		}
	}
	return strings.Join(settings, ", ")
}

// deviations lists what matters to the log. A limit of its size does not: a full log
// holds the slot.
func deviations(have, want jetstream.StreamConfig) (list []Deviation) {
	compare := func(setting string, has, wanted any, fixed bool) {
		if h, w := fmt.Sprint(has), fmt.Sprint(wanted); h != w {
			list = append(list, Deviation{setting, h, w, fixed})
		}
	}
	compare("storage", have.Storage, want.Storage, true)
	compare("retention", have.Retention, want.Retention, true)
	compare("subjects", have.Subjects, want.Subjects, false)
	compare("discard", have.Discard, want.Discard, false)
	compare("max_age", have.MaxAge, want.MaxAge, false)
	compare("max_msgs_per_subject", max(0, have.MaxMsgsPerSubject), max(0, want.MaxMsgsPerSubject), false)
	compare("max_msg_size", max(0, have.MaxMsgSize), max(0, want.MaxMsgSize), false)
	compare("allow_atomic", have.AllowAtomicPublish, want.AllowAtomicPublish, false)
	compare("allow_rollup_hdrs", have.AllowRollup, want.AllowRollup, false)
	compare("sealed", have.Sealed, want.Sealed, true)
	compare("deny_purge", have.DenyPurge, want.DenyPurge, true)
	compare("no_ack", have.NoAck, want.NoAck, false)
	compare("allow_direct", have.AllowDirect, want.AllowDirect, false)
	compare("subject_transform", have.SubjectTransform, want.SubjectTransform, false)
	compare("num_replicas", have.Replicas, want.Replicas, false)
	return list
}
