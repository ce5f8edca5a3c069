package natslog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hooktail/hooktail/dispatch/state"
)

// Partitions is the number of partitions of a log.
const Partitions = state.Partitions

// PartitionOf returns the partition of a hook, as the statements of dispatch/state do.
func PartitionOf(hook int64) int { return int(uint64(hook) % Partitions) }

// Names holds the names of a slot's stream, bucket and subjects.
type Names struct {
	Stream string // also the bucket's
	prefix string
	slot   string
}

// NamesOf returns the names for a slot.
func NamesOf(slot string) Names {
	return Names{Stream: "HOOKTAIL_" + slot, prefix: "ht." + slot + ".d.", slot: slot}
}

// noPartition stands for the partition of messages that belong to none.
const noPartition = -1

// Subjects returns a subject that matches the messages of all partitions.
func (n Names) Subjects() string { return n.prefix + "*" }

// all returns a subject that matches all messages.
func (n Names) all() string { return "ht." + n.slot + ".>" }

// Subject returns the subject of a partition, or of fences.
func (n Names) Subject(partition int) string {
	if partition == noPartition {
		return "ht." + n.slot + ".fence"
	}
	return fmt.Sprintf("%s%02d", n.prefix, partition)
}

// Partition returns the partition of a subject, or noPartition.
func (n Names) Partition(subject string) int {
	number, ok := strings.CutPrefix(subject, n.prefix)
	p, err := strconv.ParseUint(number, 10, 8) // which takes no sign
	if !ok || err != nil || len(number) != 2 || p >= Partitions {
		return noPartition
	}
	return int(p)
}

// key returns the key of a partition's bookmark.
func key(partition int) string { return fmt.Sprintf("%02d", partition) }
