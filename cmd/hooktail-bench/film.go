package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/hooktail/hooktail/testdata"
)

// take is one recorded scenario.
type take struct {
	name   string
	single bool // the scenario is a single call
	shots  []shot
}

// shot is one transaction.
type shot struct {
	statements []string
	pause      time.Duration // since the previous transaction in the stream
	streamed   bool
}

// streamed matches a statement that changes one of the tables of the publication.
var streamed = regexp.MustCompile(`^(INSERT INTO|UPDATE|DELETE FROM) "(project|task|task_completion|webhook|webhook_action)"`)

// readFilm reads all scenarios from the folder of the sources.
func readFilm(ctx context.Context) ([]take, error) {
	dir, err := sources(ctx, "testdata")
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "labelstudio", "scenarios")
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	var film []take
	var before time.Time // the last commit so far
	for _, folder := range folders {
		t, err := readTake(filepath.Join(dir, folder.Name()), &before)
		if err != nil {
			return nil, fmt.Errorf("read scenario %s: %w", folder.Name(), err)
		}
		film = append(film, t)
	}
	return film, nil
}

// readTake reads one scenario. before is the last commit of the previous scenario;
// readTake sets it to the last of this one.
func readTake(dir string, before *time.Time) (take, error) {
	t := take{name: filepath.Base(dir)}
	calls, err := os.ReadFile(filepath.Join(dir, "api.txt"))
	if err != nil {
		return t, err
	}
	t.single = strings.Count(string(calls), "   (user ") == 1
	commits, err := commitTimes(filepath.Join(dir, "wal.pgoutput.hex"))
	if err != nil {
		return t, err
	}
	statements, err := testdata.Changes(t.name)
	if err != nil {
		return t, err
	}
	for open := false; len(statements) > 0; statements = statements[1:] {
		if !open {
			t.shots = append(t.shots, shot{})
		}
		last := &t.shots[len(t.shots)-1]
		last.statements = append(last.statements, statements[0])
		last.streamed = last.streamed || streamed.MatchString(statements[0])
		open = (open || statements[0] == "BEGIN") && statements[0] != "COMMIT" && statements[0] != "ROLLBACK"
	}
	for i := range t.shots {
		// A statement that changed no row is not in the stream; four scenarios have one.
		if t.shots[i].streamed && len(commits) > 0 {
			if !before.IsZero() {
				t.shots[i].pause = commits[0].Sub(*before)
			}
			*before, commits = commits[0], commits[1:]
		}
	}
	return t, nil
}

// commitTimes returns the commit times of the recorded transactions.
func commitTimes(name string) (times []time.Time, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		_, message, _ := strings.Cut(strings.TrimSpace(line), " ")
		data, err := hex.DecodeString(message)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", name, err)
		}
		if len(data) == 0 || pglogrepl.MessageType(data[0]) != pglogrepl.MessageTypeCommit {
			continue
		}
		commit, err := pglogrepl.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", name, err)
		}
		times = append(times, commit.(*pglogrepl.CommitMessage).CommitTime)
	}
	return times, nil
}

// play makes the scenario's transactions at their recorded pace, for hooks at that address.
// before is when the last transaction in the stream began to commit.
func (s *stage) play(ctx context.Context, t take, address string, before time.Time) (scene, error) {
	played := scene{take: t, last: before}
	for _, shot := range t.shots {
		if shot.streamed {
			if err := wait(ctx, shot.pause-time.Since(played.last)); err != nil {
				return played, err
			}
			played.last = time.Now()
			if played.began.IsZero() {
				played.began = played.last
			}
		}
		for _, sql := range shot.statements {
			if shot.streamed && (sql == "COMMIT" || len(shot.statements) == 1) {
				played.last = time.Now()
			}
			if err := s.exec(ctx, strings.ReplaceAll(sql, recordedAddress, address)); err != nil {
				return played, err
			}
		}
	}
	return played, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
