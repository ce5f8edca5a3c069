package natslog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestCommandsCreateWhatSetUpCreates runs the printed requests at one server and SetUp at
// another one.
func TestCommandsCreateWhatSetUpCreates(t *testing.T) {
	t.Parallel()
	byHand, bySetUp := natstest.Start(t, nil), natstest.Start(t, nil)
	names := natslog.NamesOf("test")
	commands, err := names.Commands(1, &natslog.TopicOptions{Keep: time.Hour, Sync: time.Minute})
	if err != nil || len(commands) != 3 {
		t.Fatalf("%d commands: %v", len(commands), err)
	}
	conn, err := nats.Connect(byHand.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, command := range commands {
		words := strings.Split(command, "'") // nats request 'SUBJECT' 'BODY'
		answer, err := conn.Request(words[1], []byte(words[3]), 10*time.Second)
		if err != nil || strings.Contains(string(answer.Data), `"error"`) {
			t.Fatalf("%s: %v\n%s", command, err, answer.Data)
		}
	}
	openTopic(t, bySetUp)
	for _, name := range []string{names.Stream, "KV_" + names.Stream, names.Topic()} {
		want, got := bySetUp.Stream(t, name).CachedInfo().Config, byHand.Stream(t, name).CachedInfo().Config
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stream %s (-SetUp +commands):\n%s", name, diff)
		}
	}
}
