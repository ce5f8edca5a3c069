package natslog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Headers of a message; see the package's documentation.
const (
	idHeader     = "Ht-Id"
	beforeHeader = "Ht-Before"
	prefixHeader = "Ht-Prefix"
	numberHeader = "Ht-Number"
	hooksHeader  = "Ht-Hooks"
	eventHeader  = "Ht-Event"
	storedHeader = "Ht-Stored"
)

// Message is a message of the log: an event for hooks of one partition, or a change of a hook.
type Message struct {
	Partition int    // noPartition: a fence
	Seq       uint64 // in the stream; 0: not published yet
	ID        string
	Before    string // ID of the partition's previous message; "": this is the first one
	Prefix    Prefix
	Floor     uint64
	Number    uint64    // in the partition, from 1
	Written   time.Time // by the servers' clock; zero: unknown

	Event   *mapping.Event // nil: a change
	Targets []hook.Target
	Changed int64 // the hook that has changed; 0: all may have
	Commit  cdc.LSN
	Stored  bool // the payload is in log_body, and not in Event
	Bytes   int  // of the payload

	bare bool // no hook receives the payload; set before publishing
}

// place is the place of a message in the log.
type place struct {
	seq    uint64
	id     string
	number uint64 // in its partition; 0: unknown
}

func (m *Message) place() place { return place{m.Seq, m.ID, m.Number} }

// adopted separates event and hook in the id of a message for a hook that was adopted later:
// the partition may have the event already.
const adopted = "@"

// changePrefix is the prefix of the ids of changes.
const changePrefix = "change-"

// changeOf returns the message that tells a partition of a hook's change. name is the hook's; if any hook may
// have changed before a term, it is allHooks and the name of the term.
func changeOf(partition int, hook int64, commit cdc.LSN, name string) *Message {
	return &Message{Partition: partition, ID: fmt.Sprintf("%s%X-%s", changePrefix, uint64(commit), name), Changed: hook, Commit: commit}
}

// allHooks is in the place of the hook if all may have changed.
const allHooks = "all-"

// TargetOf returns the hook's target among those of the message.
func (m *Message) TargetOf(id int64) (t hook.Target, ok bool) {
	i := slices.IndexFunc(m.Targets, func(t hook.Target) bool { return t.Hook == id })
	if i < 0 {
		return hook.Target{}, false
	}
	return m.Targets[i], true
}

// expectedHeader makes the server accept a message only if the stream ends at that sequence.
const expectedHeader = jetstream.ExpectedLastSeqHeader

// readerOf formats Prefix and Floor, which the messages of a batch share.
func readerOf(prefix Prefix, floor uint64) string {
	return prefix.String() + " " + strconv.FormatUint(floor, 10)
}

// encode returns the message to publish if the log ends at the sequence after. reader is what
// readerOf returns. The data are appended to buffer.
func (m *Message) encode(names Names, reader string, after uint64, buffer []byte) *nats.Msg {
	values := [...]string{m.ID, m.Before, reader, strconv.FormatUint(m.Number, 10), "", "", "1", strconv.FormatUint(after, 10)}
	h := make(nats.Header, 8) // one group of the map
	h[expectedHeader] = values[7:]
	for i, key := range [...]string{idHeader, beforeHeader, prefixHeader, numberHeader} {
		h[key] = values[i : i+1 : i+1]
	}
	out := &nats.Msg{Subject: names.Subject(m.Partition), Header: h, Data: buffer}
	e := m.Event
	if e == nil {
		return out
	}
	values[4], values[5] = formatTargets(m.Targets), formatEvent(e)
	h[hooksHeader], h[eventHeader] = values[4:5:5], values[5:6:6]
	if m.Stored {
		h[storedHeader] = values[6:7:7]
		return out
	}
	if !m.bare {
		out.Data = appendPayload(buffer, e)
	}
	return out
}

// formatEvent returns the value of eventHeader.
func formatEvent(e *mapping.Event) string {
	b := make([]byte, 0, 80)
	b = append(append(b, e.Action...), ' ')
	b = append(strconv.AppendInt(b, e.Project, 10), ' ')
	b = append(strconv.AppendInt(b, e.Task, 10), ' ')
	return string(e.Committed.UTC().AppendFormat(b, time.RFC3339Nano))
}

// decode parses a message of the log. The result refers to data.
func decode(names Names, subject string, seq uint64, header nats.Header, data []byte) (*Message, error) {
	m := &Message{Partition: names.Partition(subject), Seq: seq, ID: header.Get(idHeader), Before: header.Get(beforeHeader)}
	if m.Partition == noPartition && !m.isFence() || m.ID == "" {
		return nil, fmt.Errorf("message %d of stream %s is not hooktail's: %s", seq, names.Stream, names.removal(seq))
	}
	var err error
	prefix, floor, _ := strings.Cut(header.Get(prefixHeader), " ")
	if m.Prefix, err = parsePrefix(prefix); err == nil {
		m.Floor, err = strconv.ParseUint(floor, 10, 64)
	}
	if err == nil {
		m.Number, err = strconv.ParseUint(header.Get(numberHeader), 10, 64)
	}
	if err == nil && !m.isFence() {
		err = m.decodeBody(header, data)
	}
	if err != nil {
		return nil, fmt.Errorf("message %d of stream %s (%s): %w: %s", seq, names.Stream, m.ID, err, names.removal(seq))
	}
	return m, nil
}

// removal says what to do about a message that cannot be read: everything stops there.
func (n Names) removal(seq uint64) string {
	return fmt.Sprintf("unless a newer hooktail has written it, remove it with `nats stream rmm %s %d`", n.Stream, seq)
}

// isFence reports whether the message is part of a fence, which no sender reads.
func (m *Message) isFence() bool { return strings.HasPrefix(m.ID, fencePrefix) }

func (m *Message) decodeBody(header nats.Header, data []byte) error {
	if rest, ok := strings.CutPrefix(m.ID, changePrefix); ok {
		commit, hook, _ := strings.Cut(rest, "-")
		lsn, err := strconv.ParseUint(commit, 16, 64)
		if err != nil {
			return err
		}
		m.Commit = cdc.LSN(lsn)
		if !strings.HasPrefix(hook, allHooks) {
			m.Changed, err = strconv.ParseInt(hook, 10, 64)
		}
		return err
	}
	event, _, _ := strings.Cut(m.ID, adopted)
	id, err := state.ParseID(event)
	if err != nil {
		return err
	}
	fields := strings.Fields(header.Get(eventHeader))
	if len(fields) != 4 {
		return fmt.Errorf("header %s is invalid", eventHeader)
	}
	e := &mapping.Event{ID: id, Action: mapping.Action(fields[0]), Payload: data}
	if e.Project, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return err
	}
	if e.Task, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return err
	}
	if e.Committed, err = time.Parse(time.RFC3339Nano, fields[3]); err != nil {
		return err
	}
	m.Event, m.Commit, m.Bytes = e, id.Commit, len(data)
	if len(data) == 0 { // the message may have been read without its payload
		m.Bytes, _ = strconv.Atoi(header.Get(nats.MsgSize))
	}
	m.Stored = header.Get(storedHeader) != ""
	m.Targets, err = parseTargets(header.Get(hooksHeader))
	return err
}

// bare marks a hook that receives no payload, after its action.
const bare = ",bare"

func formatTargets(targets []hook.Target) string {
	var b strings.Builder
	for i, t := range targets {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text(t.Hook))
		b.WriteByte('=')
		b.WriteString(string(t.Action))
		if !t.Payload {
			b.WriteString(bare)
		}
	}
	return b.String()
}

func parseTargets(text string) ([]hook.Target, error) {
	var targets []hook.Target
	for field := range strings.FieldsSeq(text) {
		id, action, _ := strings.Cut(field, "=")
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("header %s is invalid", hooksHeader)
		}
		action, isBare := strings.CutSuffix(action, bare)
		targets = append(targets, hook.Target{Hook: n, Action: mapping.Action(action), Payload: !isBare})
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("header %s is empty", hooksHeader)
	}
	return targets, nil
}

func text(n int64) string { return strconv.FormatInt(n, 10) }
