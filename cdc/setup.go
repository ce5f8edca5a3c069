package cdc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// slotPatience bounds the creation of a slot, which waits for all transactions running on
// the server.
const slotPatience = 30 * time.Second

// Result is the result of Setup.
type Result struct {
	Steps       []string // executed statements; none if everything existed
	SlotCreated bool
	Confirmed   LSN // position of the slot
	// Late are tables that were added to the publication although the slot existed: their
	// changes between the slot's position and now are missing. In a plan without a slot
	// these are all tables added now.
	Late []Table
}

// installer runs the statements of one Setup or Teardown.
type installer struct {
	session  *pgx.Conn
	conn     *pgconn.PgConn // of session
	log      func(step string)
	plan     Plan
	patience time.Duration // limit of waiting for locks of other sessions
	last     string        // statement executed last
	done     []string
}

func newInstaller(conn *pgx.Conn, plan Plan, log func(step string)) *installer {
	if log == nil {
		log = func(string) {}
	}
	return &installer{session: conn, conn: conn.PgConn(), log: log, plan: plan, patience: slotPatience}
}

// Setup creates what is missing from the plan. The publication comes before the slot,
// because a slot cannot use a younger publication. It may be run again at any time. It
// checks everything before it changes anything, as CheckSetup does. Each statement is
// logged before it runs, and waits for other sessions for a bounded time. Errors that
// only a person can fix are *Fault. conn must not be in a transaction.
func Setup(ctx context.Context, conn *pgx.Conn, plan Plan, log func(step string)) (Result, error) {
	return newInstaller(conn, plan, log).setup(ctx)
}

// CheckSetup returns a *Fault for whatever prevents Setup: it names everything that the
// role lacks, including besides, which the caller needs, and the SQL that grants it. It
// changes nothing.
func CheckSetup(ctx context.Context, conn *pgx.Conn, plan Plan, besides ...Lack) error {
	in := newInstaller(conn, plan, nil)
	found, err := in.look(ctx)
	if err != nil {
		return err
	}
	return in.check(ctx, found, besides)
}

// setup looks again if another setup has just made what was missing.
func (in *installer) setup(ctx context.Context) (result Result, err error) {
	const most = 10 // objects that two setups may make at once
	for range most {
		result, err = in.create(ctx)
		if code := postgres.Code(err); code != postgres.DuplicateObject && code != postgres.UniqueViolation {
			return result, err
		}
	}
	return result, err
}

func (in *installer) create(ctx context.Context) (Result, error) {
	found, err := in.look(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := in.check(ctx, found, nil); err != nil {
		return Result{}, err
	}
	for _, sql := range found.statements(in.plan) {
		if err := in.run(ctx, sql); err != nil {
			return Result{}, err
		}
	}
	result := Result{Late: found.missing}
	switch {
	case in.plan.Slot == "":
	case found.slot != nil:
		result.Confirmed = found.slot.Confirmed
	default:
		result.SlotCreated, result.Late = true, nil
		if result.Confirmed, err = in.createSlot(ctx, found.version); err != nil {
			return Result{}, err
		}
	}
	result.Steps = in.done
	return result, nil
}

// found is what exists of a plan.
type found struct {
	version     int
	tables      []tableState // in the plan's order
	publication *publication
	missing     []Table // missing from the publication
	slot        *Slot   // nil: it does not exist
}

// look finds out what exists. Errors that no privilege fixes are *Fault.
func (in *installer) look(ctx context.Context) (f found, err error) {
	if f.version, err = VersionOf(ctx, in.conn); err != nil {
		return f, err
	}
	if err := mustBePrimary(ctx, in.conn); err != nil {
		return f, err
	}
	if f.tables, err = lookUp(ctx, in.conn, in.plan.Tables); err != nil {
		return f, err
	}
	if err := mustExist(f.tables); err != nil {
		return f, err
	}
	if err := CheckIdentity(ctx, in.conn, in.plan, f.version); err != nil {
		return f, err
	}
	if f.publication, err = inspectPublication(ctx, in.conn, in.plan.Publication, in.plan.Tables, nil); err != nil {
		return f, err
	}
	if fault := f.publication.refused(in.plan.Publication); fault != nil && !in.plan.Widen {
		return f, fault
	}
	f.missing = f.publication.missing(in.plan.Tables)
	if in.plan.Slot != "" {
		f.slot, err = CheckSlot(ctx, in.conn, in.plan.Slot)
		if isReason(err, SlotMissing) {
			err = nil
		}
	}
	return f, err
}

// statements returns the SQL that creates what is missing, except the slot.
func (f found) statements(plan Plan) []string {
	var sql []string
	if !f.publication.exists {
		viaRoot := slices.ContainsFunc(f.tables, func(t tableState) bool { return t.partitioned })
		sql = append(sql, createPublication(plan, f.version, viaRoot))
	} else {
		if len(f.missing) > 0 {
			sql = append(sql, alterPublication(plan.Publication, "ADD TABLE "+tableList(f.missing)))
		}
		if f.publication.noGenerated {
			sql = append(sql, alterPublication(plan.Publication, "SET (publish_generated_columns = stored)"))
		}
		_, widen := texts(f.publication.withheld)
		sql = append(sql, widen...)
	}
	for _, t := range f.tables {
		if t.IdentityFull {
			sql = append(sql, setIdentities(t.keyed, "FULL")...)
		}
	}
	return sql
}

// tableState is a table of the plan as recorded in the catalog, with its partitions: each
// partition has a replica identity of its own, which it does not inherit.
type tableState struct {
	Table
	full, keyed []Table // with REPLICA IDENTITY FULL, and with another one; neither: the table does not exist
	owned       bool    // by the role, directly or through membership
	partitioned bool
}

// lookUp returns the tables, in the same order, with their partitions.
func lookUp(ctx context.Context, conn *pgconn.PgConn, tables []Table) ([]tableState, error) {
	states := make([]tableState, len(tables))
	for i, t := range tables {
		found, err := rows(ctx, conn, fmt.Sprintf(`SELECT n.nspname, c.relname, c.relreplident = 'f', pg_catalog.pg_has_role(c.relowner, 'USAGE'), c.relkind = 'p'
			FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
			CROSS JOIN LATERAL (SELECT t.oid UNION SELECT relid FROM pg_catalog.pg_partition_tree(t.oid)) AS one (oid)
			JOIN pg_catalog.pg_class c ON c.oid = one.oid AND c.relkind <> 'f' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE t.relkind IN ('r', 'p') AND s.nspname = %s AND t.relname = %s ORDER BY c.oid <> t.oid, c.oid`, quoteText(t.Schema), quoteText(t.Name)))
		if err != nil {
			return nil, fmt.Errorf("look table %s up: %w", t, err)
		}
		state := tableState{Table: t, owned: true}
		for _, r := range found {
			one := Table{Schema: r[0], Name: r[1]}
			if r[2] == "t" {
				state.full = append(state.full, one)
			} else {
				state.keyed = append(state.keyed, one)
			}
			state.owned = state.owned && r[3] == "t"
			state.partitioned = state.partitioned || r[4] == "t"
		}
		states[i] = state
	}
	return states, nil
}

// mustExist returns a *Fault that names the missing tables.
func mustExist(tables []tableState) error {
	var missing []string
	for _, t := range tables {
		if len(t.full)+len(t.keyed) == 0 {
			missing = append(missing, t.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Fault{
		Reason: TableMissing, What: "no such table: " + strings.Join(missing, ", "),
		Mend: "check database, schema and the names of the tables",
	}
}

// CheckTables returns a *Fault that names the missing tables.
func CheckTables(ctx context.Context, conn *pgx.Conn, tables []Table) error {
	states, err := lookUp(ctx, conn.PgConn(), tables)
	if err != nil {
		return err
	}
	return mustExist(states)
}

// createSlot creates the slot. It waits for all running transactions to end.
func (in *installer) createSlot(ctx context.Context, version int) (LSN, error) {
	sql := createSlot(in.plan, version)
	in.log(sql)
	var r []string
	err := untilAnswered(ctx, in.conn, func(ctx context.Context) (err error) {
		r, err = row(ctx, in.conn, fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %[1]d; %s", max(1, in.patience.Milliseconds()), sql))
		return err
	})
	if err != nil {
		return 0, notCreated(ctx, in.conn, in.plan.Slot, in.patience, err)
	}
	confirmed, err := pglogrepl.ParseLSN(r[0])
	if err != nil {
		return 0, fmt.Errorf("create slot %q: %w", in.plan.Slot, err)
	}
	in.done = append(in.done, sql)
	return confirmed, nil
}
