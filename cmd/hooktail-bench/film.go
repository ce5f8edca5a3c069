package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/testdata"
)

// take is one recorded scenario.
type take struct {
	name   string
	single bool // it is one call
	shots  []shot
}

// shot is one transaction.
type shot struct {
	statements []string
	pause      time.Duration // since the one before, as far as both are in the stream
	streamed   bool
}

// streamed matches a statement that changes one of the tables of the publication.
var streamed = regexp.MustCompile(`^(INSERT INTO|UPDATE|DELETE FROM) "(project|task|task_completion|webhook|webhook_action)"`)

// readFilm reads all scenarios from the folder of the sources.
func readFilm(ctx context.Context) ([]take, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/hooktail/hooktail/testdata").Output()
	if err != nil {
		return nil, fmt.Errorf("find the sources of hooktail: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "labelstudio", "scenarios")
	folders, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list scenarios: %w", err)
	}
	var film []take
	for _, folder := range folders {
		t, err := readTake(filepath.Join(dir, folder.Name()))
		if err != nil {
			return nil, fmt.Errorf("read scenario %s: %w", folder.Name(), err)
		}
		film = append(film, t)
	}
	return film, nil
}

func readTake(dir string) (take, error) {
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
	n := 0
	for i := range t.shots {
		// A statement that has changed no row is not in the stream; four scenarios have one.
		if t.shots[i].streamed && n < len(commits) {
			if n > 0 {
				t.shots[i].pause = commits[n].Sub(commits[n-1])
			}
			n++
		}
	}
	return t, nil
}

// commitTimes are when the recorded transactions were committed.
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

// play makes the scenario's transactions at their pace, and returns when the last that is
// in the stream began to commit.
func (t take) play(ctx context.Context, conn *pgx.Conn, readdress func(string) string) (last time.Time, err error) {
	before := time.Now()
	for _, shot := range t.shots {
		if shot.streamed {
			if err := wait(ctx, shot.pause-time.Since(before)); err != nil {
				return last, err
			}
			before = time.Now()
		}
		for _, sql := range shot.statements {
			if shot.streamed && (sql == "COMMIT" || len(shot.statements) == 1) {
				last = time.Now()
			}
			if _, err := conn.PgConn().Exec(ctx, readdress(sql)).ReadAll(); err != nil {
				return last, fmt.Errorf("play %.80q: %w", sql, err)
			}
		}
	}
	return last, nil
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
