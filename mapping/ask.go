package mapping

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
)

// Database lends sessions to read Label Studio's tables with. *pgxpool.Pool is one.
type Database interface {
	Querier
	AcquireFunc(ctx context.Context, f func(*pgxpool.Conn) error) error
}

// query is one of those that are asked together. Its values come in their text form.
type query struct {
	sql    string
	args   [][]byte // its parameters in text form
	reader *reader
	row    func(*cdc.Relation, cdc.Tuple)

	tellsSnapshot bool // its rows have the snapshot that they were read with

	// keeps, if set, is asked whether row is to be called, before anything of the
	// row is copied.
	keeps func(*cdc.Relation, [][]byte) bool

	// took, if set, is told how long the server may have worked on the query: never
	// less than it has.
	took func(time.Duration)
}

// ask sends the queries together and reads their results one after the other: one
// round trip, however many they are. They are prepared once per session: to parse
// and plan them takes longer than to run them. After an error some rows may have
// been handed out; those of a whole result come in a moment later than all of the
// results before.
//
// A session whose prepared statements do not fit any more, because a table has got
// other columns or somebody has discarded them, prepares them again; the rows of
// the first results may then come twice.
func ask(ctx context.Context, db Database, queries []query) error {
	return db.AcquireFunc(ctx, func(session *pgxpool.Conn) error {
		conn := session.Conn()
		err := askOn(ctx, conn, queries)
		if !isOutdated(err) {
			return err
		}
		if err := conn.DeallocateAll(ctx); err != nil {
			return err
		}
		return askOn(ctx, conn, queries)
	})
}

// isOutdated reports whether it is the prepared statement that does not fit.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func isOutdated(err error) bool {
	const featureNotSupported, invalidStatementName = "0A000", "26000" // cached plan must not change result type; there is none of the name
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (fault.Code == featureNotSupported || fault.Code == invalidStatementName)
}

func askOn(ctx context.Context, conn *pgx.Conn, queries []query) (err error) {
	statements := make([]*pgconn.StatementDescription, len(queries))
	for i := range queries {
		if statements[i], err = conn.Prepare(ctx, queries[i].sql, queries[i].sql); err != nil {
			return err
		}
	}
	pipeline := conn.PgConn().StartPipeline(ctx)
	defer func() { err = errors.Join(err, pipeline.Close()) }()
	for i := range queries {
		pipeline.SendQueryStatement(statements[i], queries[i].args, nil, nil)
		if queries[i].took != nil {
			pipeline.SendFlushRequest() // otherwise its result might wait for that of the next
		}
	}
	began := time.Now()
	if err := pipeline.Sync(); err != nil {
		return err
	}
	for i := range queries {
		if err := queries[i].receive(pipeline); err != nil {
			return err
		}
		if now := time.Now(); queries[i].took != nil {
			queries[i].took(now.Sub(began))
			began = now
		}
	}
	return nil
}

// receive reads the query's result, which is the next.
func (q *query) receive(pipeline *pgconn.Pipeline) error {
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	rows, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("unexpected result %T", results)
	}
	described := false
	for rows.NextRow() {
		if !described {
			q.reader.describe(rows.FieldDescriptions())
			described = true
		}
		if q.keeps == nil || q.keeps(q.reader.relation, rows.Values()) {
			q.row(q.reader.relation, q.reader.tuple(rows.Values()))
		}
	}
	_, err = rows.Close()
	return err
}

// arrayOf is the text form of an array of integers.
func arrayOf(ids []int64) []byte {
	text := append(make([]byte, 0, 12*len(ids)+2), '{')
	for i, id := range ids {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, id, 10)
	}
	return append(text, '}')
}
