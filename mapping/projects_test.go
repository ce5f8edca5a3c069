package mapping

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// counting counts what a session asks of the server.
type counting struct {
	net.Conn
	parsed, executed *int // guarded by: one goroutine asks
	begun            bool
	rest             []byte
}

// Write counts the messages that have been written whole.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func (c *counting) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	for {
		kind := 1 // the first message has none
		if !c.begun {
			kind = 0
		}
		if len(c.rest) < kind+4 {
			break
		}
		size := kind + int(binary.BigEndian.Uint32(c.rest[kind:]))
		if len(c.rest) < size {
			break
		}
		switch {
		case !c.begun:
		case c.rest[0] == 'P':
			*c.parsed++
		case c.rest[0] == 'E':
			*c.executed++
		}
		c.begun, c.rest = true, c.rest[size:]
	}
	return c.Conn.Write(p)
}

// A batch asks one statement of the server, two where its project's numbers are due: the
// project is read again after a change alone, and who can see the transactions is told by
// the same statements. Nothing is prepared twice.
func TestStatementsOfBatches(t *testing.T) {
	const batches = 30
	s := newSlot(t, "FULL")
	config, err := pgxpool.ParseConfig(s.db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	parsed, executed := 0, 0
	config.MaxConns = 1
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &counting{Conn: conn, parsed: &parsed, executed: &executed}, err
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	o := Options{Projects: &Projects{}, CountShare: 1e-9} // counted once
	mapper, renderer := NewMapper(o), NewRenderer(pool, o)
	title := func(sql string, args ...any) any {
		t.Helper()
		s.db.Exec(t, sql, args...)
		changes := s.parts(t)
		events := mapAll(t, mapper, changes)
		if err := renderer.Render(context.Background(), events, changes[len(changes)-1].XID); err != nil {
			t.Fatal(err)
		}
		return at(t, payload(t, events, AnnotationUpdated), "project", "title")
	}
	const annotate = "UPDATE task_completion SET updated_at = now() WHERE id = 12"
	before := title(annotate)
	parsedOnce := parsed
	executed = 0
	begun := time.Now()
	for range batches {
		title(annotate)
	}
	// A project is read again now and then all the same.
	if most := batches + 1 + int(time.Since(begun)/keptFor); executed > most {
		t.Errorf("%d statements for %d batches, want %d at most", executed, batches, most)
	}
	if parsed != parsedOnce {
		t.Errorf("%d statements were prepared, %d of them again", parsed, parsed-parsedOnce)
	}
	for _, want := range []string{"Renamed", "Renamed again"} {
		s.db.Exec(t, "UPDATE project SET title = $1 WHERE id = 1", want)
		for _, part := range s.parts(t) { // no event that anybody renders
			if _, err := mapper.Events(part, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := title(annotate); got != want || got == before {
			t.Errorf("title %q after the stream has shown that it is %q", got, want)
		}
	}
}
