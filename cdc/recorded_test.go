package cdc

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// recorded is the pgoutput messages of one of the recorded scenarios.
type recorded struct {
	name     string
	messages [][]byte
}

// recordings is the pgoutput of all scenarios, in order.
func recordings(tb testing.TB) []recorded {
	tb.Helper()
	files, err := filepath.Glob("../testdata/labelstudio/scenarios/*/wal.pgoutput.hex")
	if err != nil || len(files) == 0 {
		tb.Fatalf("recorded WAL: %d files, %v", len(files), err)
	}
	var all []recorded
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		r := recorded{name: filepath.Base(filepath.Dir(file))}
		for line := range bytes.Lines(text) {
			fields := bytes.Fields(line) // LSN, hex
			message := make([]byte, hex.DecodedLen(len(fields[1])))
			if _, err := hex.Decode(message, fields[1]); err != nil {
				tb.Fatalf("%s: %v", file, err)
			}
			r.messages = append(r.messages, message)
		}
		all = append(all, r)
	}
	return all
}

// recordedMessage is the largest recorded message of a kind that accept takes.
func recordedMessage(tb testing.TB, accept func(*message) bool) []byte {
	tb.Helper()
	var (
		m       message
		largest []byte
	)
	for _, r := range recordings(tb) {
		for _, raw := range r.messages {
			if err := m.decode(raw); err != nil {
				tb.Fatal(err)
			}
			if accept(&m) && len(raw) > len(largest) {
				largest = raw
			}
		}
	}
	if largest == nil {
		tb.Fatal("no such message was recorded")
	}
	return largest
}
