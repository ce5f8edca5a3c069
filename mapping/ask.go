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

// Database provides sessions that read Label Studio's tables, for example a
// *pgxpool.Pool.
type Database interface {
	Querier
	AcquireFunc(ctx context.Context, f func(*pgxpool.Conn) error) error
}

// query is one of several queries sent together. Values are in text form.
type query struct {
	sql    string
	args   [][]byte // parameters in text form
	reader *reader
	row    func(*cdc.Relation, cdc.Tuple)

	tellsSnapshot bool // its rows contain the snapshot with which they were read

	// keeps, if set, decides whether row is called, before the row is copied.
	keeps func(*cdc.Relation, [][]byte) bool

	// took, if set, gets an upper bound of the time that the server has worked on the
	// query.
	took func(time.Duration)
}

// ask sends the queries together and reads their results in sequence, in one round trip,
// each at a later moment than those before it. They are prepared once per session, since
// parsing and planning takes longer than running them. After an error, some rows may have
// been processed.
//
// A session whose prepared statements are outdated, because the columns of a table have
// changed or the statements were discarded, prepares them again; the rows of the first
// results may then come twice.
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

// isOutdated reports whether the prepared statement is outdated.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func isOutdated(err error) bool {
	const featureNotSupported, invalidStatementName = "0A000", "26000" // cached plan must not change result type; no statement with that name
	code := codeOf(err)
	return code == featureNotSupported || code == invalidStatementName
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
			pipeline.SendFlushRequest() // otherwise its result might wait for the next one
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

func (q *query) receive(pipeline *pgconn.Pipeline) error {
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	rows, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("unexpected result %T", results)
	}
	q.reader.describe(rows.FieldDescriptions())
	for rows.NextRow() {
		if q.keeps == nil || q.keeps(q.reader.relation, rows.Values()) {
			q.row(q.reader.relation, q.reader.tuple(rows.Values()))
		}
	}
	_, err = rows.Close()
	return err
}

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
