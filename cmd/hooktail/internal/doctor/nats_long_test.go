//go:build long

package doctor_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// logged is a patient with a log, at a server of its own.
type logged struct {
	*patient
	server *natstest.Server
	names  natslog.Names
}

func withLog(t *testing.T, options func(*server.Options)) *logged {
	t.Helper()
	p := healthy(t)
	return &logged{patient: p, server: natstest.Start(t, options), names: natslog.NamesOf(p.db.Name)}
}

func (p *logged) open(replicas int) (*natslog.Log, error) {
	return natslog.Open(natslog.Options{Slot: p.db.Name, URL: p.server.URL(), Replicas: replicas, Log: slog.New(slog.DiscardHandler)})
}

// setUp makes the log, as `hooktail setup` does.
func (p *logged) setUp(t *testing.T) {
	t.Helper()
	log, err := p.open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// ofLog examines, and returns what is said of NATS.
func (p *logged) ofLog(t *testing.T, replicas int, change func(*doctor.Options)) (findings []doctor.Finding) {
	t.Helper()
	for _, f := range p.look(t, func(o *doctor.Options) {
		o.OpenLog = func() (*natslog.Log, error) { return p.open(replicas) }
		change(o)
	}) {
		if strings.HasPrefix(f.ID, "nats") {
			findings = append(findings, f)
		}
	}
	return findings
}

func same(*doctor.Options) {}

func TestHealthyLog(t *testing.T) {
	t.Parallel()
	p := withLog(t, nil)
	p.setUp(t)
	findings := p.ofLog(t, 1, same)
	if ill := told(findings); len(ill) > 0 || len(findings) != 9 {
		t.Errorf("%d findings, of which not ok: %+v", len(findings), ill)
	}
	check(t, findings, sign{"nats_sync", doctor.OK, "HOOKTAIL_NATS_SYNC is 2m0s: no NATS server may have a longer sync_interval", ""})
	check(t, p.ofLog(t, 1, func(o *doctor.Options) { o.Config.NATSSync = config.Sync(0) }), sign{"nats_sync", doctor.OK, "every NATS server must have sync_interval: always", ""})
}

// TestIllnessesOfTheStream: each setting that differs is named, and the printed request mends
// all that can be changed.
func TestIllnessesOfTheStream(t *testing.T) {
	t.Parallel()
	p := withLog(t, nil)
	js := natstest.Client(t, p.server.URL())
	inMemory := p.names.StreamConfig(1)
	inMemory.Storage = jetstream.MemoryStorage
	if _, err := js.CreateStream(t.Context(), inMemory); err != nil {
		t.Fatal(err)
	}
	check(t, p.ofLog(t, 1, same), sign{"nats_stream", doctor.Failure, "has storage Memory, and not File", "nats stream rm -f " + p.names.Stream + " && hooktail setup && hooktail repair"})
	p.server.DeleteStream(t, p.names.Stream)

	p.setUp(t)
	ill := p.names.StreamConfig(1)
	ill.Discard, ill.MaxAge, ill.AllowAtomicPublish, ill.MaxMsgsPerSubject, ill.MaxMsgSize = jetstream.DiscardOld, time.Hour, false, 5, 1000
	ill.Subjects = []string{p.names.Subject(0)}
	p.server.Update(t, ill)
	findings := told(p.ofLog(t, 1, same))
	for _, what := range []string{
		"has discard DiscardOld, and not DiscardNew", "has max_age 1h0m0s, and not 0s", "has allow_atomic false, and not true",
		"has max_msgs_per_subject 5, and not 0", "has max_msg_size 1000, and not 0", "has subjects [ht." + p.db.Name + ".d.00], and not [",
	} {
		check(t, findings, sign{"nats_stream", doctor.Failure, what, "nats request '$JS.API.STREAM.UPDATE." + p.names.Stream + "' '{"})
	}
	words := strings.Split(findings[0].Mend, "'")
	answer, err := js.Conn().Request(words[1], []byte(words[3]), 10*time.Second)
	if err != nil || strings.Contains(string(answer.Data), `"error"`) {
		t.Errorf("%s: %v\n%s", findings[0].Mend, err, answer.Data)
	}
	if still := told(p.ofLog(t, 1, same)); len(still) > 0 {
		t.Errorf("still there after the mend: %+v", still)
	}
	check(t, p.ofLog(t, 3, same), sign{"nats_stream", doctor.Warning, "has num_replicas 1, and not 3", `"num_replicas":3`},
		sign{"nats_bucket", doctor.Warning, "has num_replicas 1, and not 3", `"num_replicas":3`})
}

func TestIllnessesOfTheTopic(t *testing.T) {
	t.Parallel()
	p := withLog(t, nil)
	p.setUp(t)
	topic := &natslog.TopicOptions{Keep: time.Hour, Sync: time.Minute}
	published := func(o *doctor.Options) {
		o.OpenLog = func() (*natslog.Log, error) {
			return natslog.Open(natslog.Options{Slot: p.db.Name, URL: p.server.URL(), Topic: topic, Log: slog.New(slog.DiscardHandler)})
		}
	}
	check(t, p.ofLog(t, 1, same), sign{"nats_topic", doctor.OK, "events are not published to subscribers", ""})
	check(t, p.ofLog(t, 1, published), sign{"nats_topic", doctor.Failure, "the stream of the topic does not exist", "hooktail setup"})

	log, err := natslog.Open(natslog.Options{Slot: p.db.Name, URL: p.server.URL(), Topic: topic, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, p.ofLog(t, 1, published), sign{"nats_topic", doctor.OK, "the topic is as setup creates it", ""})
	topic.Keep = 48 * time.Hour
	check(t, p.ofLog(t, 1, published), sign{"nats_topic", doctor.Failure, "has max_age 1h0m0s, and not 48h0m0s", "nats request '$JS.API.STREAM.UPDATE." + p.names.Topic() + "' '{"})
}

func TestIllnessesOfTheLog(t *testing.T) {
	t.Parallel()
	p := withLog(t, nil)
	check(t, p.ofLog(t, 1, same), sign{"nats_stream", doctor.Failure, "stream " + p.names.Stream + " does not exist", "hooktail setup"},
		sign{"nats_bucket", doctor.Failure, "stream KV_" + p.names.Stream + " does not exist", "hooktail setup"})
	p.setUp(t)
	for way, shift := range map[string]time.Duration{"behind": time.Hour, "ahead of": -time.Hour} {
		findings := p.ofLog(t, 1, func(o *doctor.Options) { o.Now = func() time.Time { return time.Now().Add(shift) } })
		check(t, findings, sign{"nats_clock", doctor.Warning, "the clock of NATS is 60 min " + way, "timedatectl"})
	}

	log, err := p.open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	note(t, p, time.Now(), 0)
	check(t, p.ofLog(t, 1, same), sign{"nats_identity", doctor.Failure, "the log was created again", "hooktail repair"})
	info, err := log.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	note(t, p, info.Created.Truncate(time.Microsecond), 7)
	check(t, p.ofLog(t, 1, same), sign{"nats_identity", doctor.Failure, "the log has lost its end", "hooktail repair"})
	note(t, p, info.Created.Truncate(time.Microsecond), 0)
	if ill := told(p.ofLog(t, 1, same)); len(ill) > 0 {
		t.Errorf("a log that is known: %+v", ill)
	}
	p.server.Stop()
	check(t, p.ofLog(t, 1, same), sign{"nats", doctor.Failure, "connect to NATS: ", "start the NATS servers"})
}

// note records which stream the log is, as a reader does.
func note(t *testing.T, p *logged, created time.Time, seq int64) {
	t.Helper()
	p.db.Exec(t, `INSERT INTO hooktail.log_stream (slot, created, seq) VALUES ($1, $2, $3)
		ON CONFLICT (slot) DO UPDATE SET created = excluded.created, seq = excluded.seq`, p.db.Name, created, seq)
}

func TestLogWithoutJetStream(t *testing.T) {
	t.Parallel()
	p := withLog(t, func(o *server.Options) { o.JetStream = false })
	check(t, p.ofLog(t, 1, same), sign{"nats_jetstream", doctor.Failure, "JetStream is not enabled", "jetstream {"})
}
