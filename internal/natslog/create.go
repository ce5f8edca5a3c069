package natslog

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamConfig returns the configuration with which the stream is created.
func (n Names) StreamConfig(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: n.Stream, Description: "hooktail: deliveries of a replication slot", Subjects: []string{n.Subjects(), n.Subject(noPartition)},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, Replicas: replicas,
		AllowAtomicPublish: true,
		// Direct reads are answered by any replica, which may be behind.
		AllowDirect: false,
	}
}

// bucketStream returns the configuration of the bucket's stream, as the client makes it of a
// jetstream.KeyValueConfig.
func (n Names) bucketStream(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + n.Stream, Description: "hooktail: bookmarks of the senders", Subjects: []string{"$KV." + n.Stream + ".>"},
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1, Duplicates: 2 * time.Minute,
		Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, Replicas: replicas, AllowRollup: true, DenyDelete: true, AllowDirect: true,
	}
}

// configs returns the configurations with which stream, bucket and, unless it is nil, topic are
// created.
func (n Names) configs(replicas int, topic *TopicOptions) []jetstream.StreamConfig {
	configs := []jetstream.StreamConfig{n.StreamConfig(replicas), n.bucketStream(replicas)}
	if topic != nil {
		configs = append(configs, n.TopicConfig(*topic, replicas))
	}
	return configs
}

// Commands returns shell commands that create the stream, the bucket and, unless it is nil,
// the topic as SetUp does, for an administrator with the nats command line.
func (n Names) Commands(replicas int, topic *TopicOptions) ([]string, error) {
	var commands []string
	for _, config := range n.configs(replicas, topic) {
		body, err := json.Marshal(config)
		if err != nil {
			return nil, fmt.Errorf("print stream %s: %w", config.Name, err)
		}
		commands = append(commands, fmt.Sprintf("nats request '$JS.API.STREAM.CREATE.%s' '%s'", config.Name, body))
	}
	return commands, nil
}
