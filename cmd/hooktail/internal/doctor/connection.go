package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// connectTime bounds opening a connection.
const connectTime = 15 * time.Second

// connect opens the connection for all checks.
func connect(ctx context.Context, x *examination) ([]Finding, error) {
	const why = "Nothing can be checked without it."
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	pool, err := x.Open(ctx)
	if err != nil {
		return []Finding{failed(err, why)}, nil
	}
	acquired, err := pool.Acquire(ctx)
	if err != nil {
		pool.Close()
		return []Finding{failed(fmt.Errorf("connect: %w", err), why)}, nil
	}
	x.pool, x.conn = pool, acquired.Hijack()
	var database string
	_, err = x.conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d; SET default_transaction_read_only = on", queryTime/time.Millisecond))
	if err == nil {
		err = x.value(ctx, `SELECT current_user, current_setting('is_superuser') = 'on', current_setting('server_version_num')::int, current_database()`,
			nil, &x.role, &x.super, &x.version, &database)
	}
	if err != nil {
		x.conn.Close(context.WithoutCancel(ctx))
		pool.Close()
		return []Finding{failed(fmt.Errorf("ask for the role: %w", err), why)}, nil
	}
	return fine("connected as role %q to database %q", x.role, database), nil
}

// lookForPooler compares the process reported at connecting with the one that answers: a
// pooler reports a process of its own.
func lookForPooler(ctx context.Context, x *examination) ([]Finding, error) {
	var pid uint32
	if err := x.value(ctx, "SELECT pg_catalog.pg_backend_pid()", nil, &pid); err != nil {
		return nil, err
	}
	if pid == x.conn.PgConn().PID() {
		return nil, nil
	}
	return one(Warning, "there is a connection pooler or proxy between hooktail and the server",
		"Replication, LISTEN and locks belong to one session of the server. A pooler that shares sessions breaks them, and many do not support replication.",
		"set HOOKTAIL_DATABASE_URL to the server's own host and port, not the pooler's"), nil
}

func lookAtRole(_ context.Context, x *examination) ([]Finding, error) {
	if !x.super {
		return nil, nil
	}
	return one(Note, fmt.Sprintf("role %q is a superuser", x.role),
		"hooktail only needs to read a few tables and to replicate; anyone with this password controls the whole server.",
		"run deploy/role.sql (psql -f deploy/role.sql), and run hooktail as the role that it creates"), nil
}

// lookAtReplication opens the kind of connection that run needs. The role's attribute
// would not be enough: managed services grant replication in other ways.
func lookAtReplication(ctx context.Context, x *examination) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	const why = "Committed changes only arrive over such a connection."
	var err error
	if x.systemID, err = cdc.CheckReplication(ctx, x.Replication); err != nil {
		found := failed(err, why)
		if found.Mend == "check HOOKTAIL_DATABASE_URL, network and server" {
			found.Mend = "free a WAL sender if all are in use (see wal_senders), and connect to the server itself, not to a pooler"
		}
		return []Finding{found}, nil
	}
	return nil, nil
}
