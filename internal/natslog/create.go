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

// BucketConfig returns the configuration with which the bucket is created.
func (n Names) BucketConfig(replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: n.Stream, Description: "hooktail: bookmarks of the senders", History: 1, Storage: jetstream.FileStorage, Replicas: replicas,
	}
}

// bucketStream returns the configuration of the bucket's stream, as the client makes it of
// BucketConfig.
func (n Names) bucketStream(replicas int) jetstream.StreamConfig {
	kv := n.BucketConfig(replicas)
	return jetstream.StreamConfig{
		Name: "KV_" + kv.Bucket, Description: kv.Description, Subjects: []string{"$KV." + kv.Bucket + ".>"},
		MaxMsgsPerSubject: int64(kv.History), MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1, Duplicates: 2 * time.Minute,
		Discard: jetstream.DiscardNew, Storage: kv.Storage, Replicas: kv.Replicas, AllowRollup: true, DenyDelete: true, AllowDirect: true,
	}
}

// Commands returns shell commands that create the stream, the bucket and, unless it is nil,
// the topic as SetUp does, for an administrator with the nats command line.
func (n Names) Commands(replicas int, topic *TopicOptions) ([]string, error) {
	var commands []string
	configs := []jetstream.StreamConfig{n.StreamConfig(replicas), n.bucketStream(replicas)}
	if topic != nil {
		configs = append(configs, n.TopicConfig(*topic, replicas))
	}
	for _, config := range configs {
		body, err := json.Marshal(config)
		if err != nil {
			return nil, fmt.Errorf("print stream %s: %w", config.Name, err)
		}
		commands = append(commands, fmt.Sprintf("nats request '$JS.API.STREAM.CREATE.%s' '%s'", config.Name, body))
	}
	return commands, nil
}
