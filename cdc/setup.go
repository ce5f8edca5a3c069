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
)

// slotPatience bounds the creation of a slot, which waits for all transactions
// that are running on the server.
const slotPatience = 30 * time.Second

// Result is what Setup did.
type Result struct {
	Steps       []string // the statements that it ran; none if all was there
	SlotCreated bool
	Confirmed   LSN // where the slot stands
	// Late is the tables that are published only now although the slot was
	// there: it does not bring what was changed in them between its position and now.
	// Of a plan without a slot they are all that are published only now.
	Late []Table
}

// installer runs the statements of one Setup or Teardown.
type installer struct {
	conn *pgconn.PgConn
	log  func(step string)
	plan Plan
	done []string
}

func newInstaller(conn *pgx.Conn, plan Plan, log func(step string)) *installer {
	if log == nil {
		log = func(string) {}
	}
	return &installer{conn: conn.PgConn(), log: log, plan: plan}
}

// run executes one statement and tells of it.
func (in *installer) run(ctx context.Context, sql string) error {
	in.log(sql)
	if err := exec(ctx, in.conn, sql); err != nil {
		return fmt.Errorf("run %q: %w", sql, refused(err))
	}
	in.done = append(in.done, sql)
	return nil
}

// refused names the cure where the server says that the role may not.
func refused(err error) error {
	if sqlState(err) != insufficientPrivilege {
		return err
	}
	return &Fault{
		Privilege, "the role may not do this",
		"publications need CREATE on the database and ownership of the tables, slots need the attribute REPLICATION", err,
	}
}

// Setup makes what is missing of the plan, the publication before the slot
// because a slot sees no publication that is younger than it. It may be run
// again at any time. Each statement is logged before it is run. What only a
// person can mend is a *Fault. conn must not be in a transaction.
func Setup(ctx context.Context, conn *pgx.Conn, plan Plan, log func(step string)) (Result, error) {
	return newInstaller(conn, plan, log).setup(ctx, slotPatience)
}

// VersionOf is the server's version as server_version_num has it. A server
// that cannot serve a logical slot is a *Fault.
func VersionOf(ctx context.Context, conn *pgx.Conn) (int, error) {
	return serverVersion(ctx, conn.PgConn())
}

func (in *installer) setup(ctx context.Context, patience time.Duration) (Result, error) {
	version, err := serverVersion(ctx, in.conn)
	if err != nil {
		return Result{}, err
	}
	tables, err := in.tables(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := in.mayBeFull(ctx, version); err != nil {
		return Result{}, err
	}
	published, err := in.publish(ctx, version, tables)
	if err != nil {
		return Result{}, err
	}
	for i, t := range in.plan.Tables {
		if t.IdentityFull && tables[i].identity != "f" {
			if err := in.run(ctx, setIdentity(t, "FULL")); err != nil {
				return Result{}, err
			}
		}
	}
	if in.plan.Slot == "" {
		return Result{Steps: in.done, Late: published}, nil
	}
	result, err := in.slot(ctx, version, patience)
	result.Steps = in.done
	if err == nil && !result.SlotCreated {
		result.Late = published
	}
	return result, err
}

// tableState is what the catalog says of a table of the plan.
type tableState struct {
	identity string // pg_class.relreplident
	owned    bool   // by the role or one that it is a member of
}

// tables looks all tables of the plan up, in the plan's order.
func (in *installer) tables(ctx context.Context) ([]tableState, error) {
	states := make([]tableState, len(in.plan.Tables))
	var missing []string
	for i, t := range in.plan.Tables {
		found, err := rows(ctx, in.conn, fmt.Sprintf(`SELECT c.relreplident, pg_catalog.pg_has_role(c.relowner, 'USAGE')
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p') AND n.nspname = %s AND c.relname = %s`, quoteText(t.Schema), quoteText(t.Name)))
		if err != nil {
			return nil, fmt.Errorf("look table %s up: %w", t, err)
		}
		if len(found) == 0 {
			missing = append(missing, t.String())
			continue
		}
		states[i] = tableState{identity: found[0][0], owned: found[0][1] == "t"}
	}
	if len(missing) > 0 {
		return nil, &Fault{
			Reason: TableMissing, What: "no such table: " + strings.Join(missing, ", "),
			Mend: "check database, schema and the names of the tables",
		}
	}
	return states, nil
}

// publish makes the publication, or adds to it what it lacks, and returns the
// tables that were not in it. The role is checked for all tables beforehand.
func (in *installer) publish(ctx context.Context, version int, tables []tableState) ([]Table, error) {
	p, err := inspectPublication(ctx, in.conn, in.plan.Publication)
	if err != nil {
		return nil, fmt.Errorf("inspect publication %q: %w", in.plan.Publication, err)
	}
	missing := p.missing(in.plan.Tables)
	if err := in.mustOwn(version, tables, missing); err != nil {
		return nil, err
	}
	switch {
	case !p.exists:
		return missing, in.run(ctx, createPublication(in.plan, version))
	case len(missing) > 0:
		if err := in.run(ctx, addTables(in.plan.Publication, missing)); err != nil {
			return nil, err
		}
	}
	if p.noGenerated {
		if err := in.run(ctx, publishGenerated(in.plan.Publication)); err != nil {
			return nil, err
		}
	}
	if len(p.operations) > 0 {
		return missing, in.run(ctx, publishAll(in.plan.Publication))
	}
	return missing, nil
}

// mustOwn checks that the role may alter the tables that are to be altered.
func (in *installer) mustOwn(version int, tables []tableState, missing []Table) error {
	var names, statements []string
	for i, t := range in.plan.Tables {
		if tables[i].owned {
			continue
		}
		alter := t.IdentityFull && tables[i].identity != "f"
		publish := slices.Contains(missing, t)
		if alter {
			statements = append(statements, setIdentity(t, "FULL"))
		}
		if alter || publish {
			names = append(names, t.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	if len(missing) > 0 {
		create := createPublication(in.plan, version)
		if len(missing) < len(in.plan.Tables) {
			create = addTables(in.plan.Publication, missing)
		}
		statements = append([]string{create}, statements...)
	}
	return &Fault{
		Reason: NotOwner, What: "must be owner of table " + strings.Join(names, ", "),
		Mend: "run as its owner, or let its owner run: " + strings.Join(statements, " "),
	}
}

// slot makes the slot unless it is there and of use.
func (in *installer) slot(ctx context.Context, version int, patience time.Duration) (Result, error) {
	slot, err := inspectSlot(ctx, in.conn, in.plan.Slot)
	if err == nil {
		return Result{Confirmed: slot.Confirmed}, nil
	}
	if !isReason(err, SlotMissing) {
		return Result{}, err
	}
	sql := createSlot(in.plan, version)
	in.log(sql)
	r, err := row(ctx, in.conn, fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %[1]d; %s",
		max(1, patience.Milliseconds()), sql))
	if err != nil {
		return Result{}, notCreated(ctx, in.conn, in.plan.Slot, patience, err)
	}
	confirmed, err := pglogrepl.ParseLSN(r[0])
	if err != nil {
		return Result{}, fmt.Errorf("create slot %q: %w", in.plan.Slot, err)
	}
	in.done = append(in.done, sql)
	return Result{SlotCreated: true, Confirmed: confirmed}, nil
}
