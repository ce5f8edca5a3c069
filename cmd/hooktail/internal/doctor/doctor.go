package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Note    Severity = "note"    // good to know; nothing has to be done
	Warning Severity = "warning" // something is lost, late or twice, or will be, for somebody
	Failure Severity = "failure" // hooktail does not run, loses events, or endangers the application or its database
)

// Finding is what a check says. Its JSON is stable: fields are only ever added, an ID
// keeps its meaning, and the texts are for people.
type Finding struct {
	ID       string   `json:"id"` // of the check
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Why      string   `json:"why"`  // it matters; "" if ok
	Mend     string   `json:"mend"` // SQL or command, as it can be pasted; "" if ok
}

// Options are what is examined, and with what.
type Options struct {
	Config      config.Config
	Plan        cdc.Plan // what setup would make, with the identities that it would set
	Hooks       hook.Options
	Secrets     send.Keyring
	Keyed       bool         // Secrets has a key
	Sender      *send.Sender // that run would send with
	Open        func(context.Context) (*pgxpool.Pool, error)
	Replication *pgconn.Config // of an ordinary connection
	NotSenders  []string       // application names of programs that send nothing
	Now         func() time.Time

	// Redirects asks the hooktail that runs where the receivers of hooks redirect to, by the
	// hooks' ids; nil if none is known to run.
	Redirects func(context.Context) map[int64]string

	Long time.Duration // a transaction may be open without a word; 0: 5 minutes
}

// check is one subject. What it returns without a word is ok, and fine says so.
type check struct {
	id   string
	fine string
	look func(context.Context, *examination) ([]Finding, error)
}

// checks are all that need the database, in the order in which they are reported.
func checks() []check {
	return []check{
		{"pooler", "nothing stands between hooktail and the server", lookForPooler},
		{"role", "the role is no superuser", lookAtRole},
		{"settings", "nothing that matters to sessions is set for the role or the database", lookAtSettings},
		{"server_version", "", lookAtVersion},
		{"primary", "the server is a primary", lookAtPrimary},
		{"wal_level", "wal_level is logical", lookAtWALLevel},
		{"replication", "the role may stream", lookAtReplication},
		{"replication_slots", "", lookAtSlots},
		{"wal_senders", "", lookAtSenders},
		{"connections", "", lookAtConnections},
		{"clock", "the clocks agree", lookAtClock},
		{"max_slot_wal_keep_size", "", lookAtKeepSize},
		{"idle_replication_slot_timeout", "no slot is dropped for being idle", lookAtIdleTimeout},
		{"transactions", "no transaction is open for long", lookAtTransactions},
		{"prepared_transactions", "no transaction is prepared for long", lookAtPrepared},
		{"tables", "the application's tables are there", lookAtTables},
		{"privileges", "the role may read the application's tables", lookAtPrivileges},
		{"row_security", "no row is hidden from the role", lookAtRowSecurity},
		{"columns", "the columns that the rules need are there", lookAtColumns},
		{"replica_identity", "deletions say all that they need", lookAtIdentity},
		{"state_schema", "hooktail's own tables are there", lookAtState},
		{"copy", "hooktail's own tables belong to this database", lookAtCopy},
		{"position", "the slot is the one that was read before", lookAtPosition},
		{"adopt_privilege", "the role may adopt hooks", lookAtAdopt},
		{"publication", "the publication has all tables and operations", lookAtPublication},
		{"publication_contents", "whole rows are published, all of them", lookAtContents},
		{"publication_age", "the publication is older than the slot", lookAtAge},
		{"slot", "", lookAtSlot},
		{"failover", "a promoted standby has the slot", lookAtFailover},
		{"hooks", "", lookAtHooks},
		{"custom_events", "the function of custom events and its secret are as they have to be", lookAtEmit},
		{"hook_actions", "the hooks want what there is", lookAtActions},
		{"task_events", "the stream shows when tasks are completed", lookAtTaskEvents},
		{"duplicate_hooks", "no two hooks send the same", lookAtDuplicates},
		{"secrets", "the signing secrets can be opened", lookAtSecrets},
		{"double_sender", "no hook has two senders", lookAtSenderOfHooks},
		{"failure_counter", "Label Studio switches no hook off that hooktail serves", lookAtCounter},
		{"egress", "the receivers can be reached", lookAtEgress},
		{"redirects", "no receiver is known to redirect", lookAtRedirects},
	}
}

// examination is one run over all checks.
type examination struct {
	Options
	conn     *pgx.Conn
	pool     *pgxpool.Pool
	role     string
	super    bool
	version  int // server_version_num
	systemID string
	loaded   *hook.Set // by hooks; nil if they cannot be read
	emits    bool      // by custom_events: they can be sent
}

const (
	queryTime = 10 * time.Second // bounds each query, by the server
	checkTime = time.Minute      // bounds each check: the server may not be heard of any more
)

// Examine makes all checks, one after the other, on one connection, and returns what
// they found in a fixed order: at least one finding for each. Where there is no
// connection, that is the only one. It ends early only with the context.
func Examine(ctx context.Context, o Options) []Finding {
	if o.Long == 0 {
		o.Long = 5 * time.Minute
	}
	x := &examination{Options: o}
	first, err := x.connect(ctx)
	if err != nil {
		return []Finding{failed("connection", err, "Nothing can be looked at without it.")}
	}
	defer x.pool.Close()
	defer x.conn.Close(context.WithoutCancel(ctx)) // it has settings of its own
	findings := []Finding{first}
	for _, c := range checks() {
		findings = append(findings, x.make(ctx, c)...)
	}
	return findings
}

// make makes one check.
func (x *examination) make(ctx context.Context, c check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := c.look(ctx, x)
	if err != nil {
		found = append(found, unseen(err))
	}
	if len(found) == 0 {
		found = []Finding{{Severity: OK, What: c.fine}}
	}
	for i := range found {
		found[i].ID = c.id
	}
	return found
}

// unseen is the finding that a check could not be made.
func unseen(err error) Finding {
	f := Finding{
		Severity: Warning, What: fmt.Sprintf("could not be looked at: %v", err),
		Why:  "What was not looked at may be wrong.",
		Mend: "mend what is reported above, and run `hooktail doctor` again",
	}
	const insufficientPrivilege = "42501"
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		f.Severity = Note
		f.Mend = "grant the role what deploy/role.sql grants, or run `hooktail doctor` as the owner of the tables"
	}
	return f
}

// failed is the finding of a fault that ends a run.
func failed(id string, err error, why string) Finding {
	f := Finding{ID: id, Severity: Failure, What: strings.Join(strings.Fields(err.Error()), " "), Why: why, Mend: "check HOOKTAIL_DATABASE_URL, network and server"}
	if fault, ok := errors.AsType[*cdc.Fault](err); ok {
		f.What = fault.What
		if fault.Err != nil {
			f.What += ": " + strings.Join(strings.Fields(fault.Err.Error()), " ")
		}
		if fault.Mend != "" {
			f.Mend = strings.TrimSuffix(strings.TrimPrefix(fault.Mend, "run `"), "`")
		}
	}
	return f
}

// faults turns the fault of a check of cdc into a finding; other errors are the
// check's own.
func faults(err error, why string) ([]Finding, error) {
	if _, ok := errors.AsType[*cdc.Fault](err); ok {
		return []Finding{failed("", err, why)}, nil
	}
	return nil, err
}

func one(s Severity, what, why, mend string) []Finding {
	return []Finding{{Severity: s, What: what, Why: why, Mend: mend}}
}

func fine(format string, args ...any) []Finding {
	return one(OK, fmt.Sprintf(format, args...), "", "")
}

// table is a name in the application's schema as SQL has it.
func (x *examination) table(name string) string {
	return pgx.Identifier{x.Config.SourceSchema, name}.Sanitize()
}

// roleName is the role's as SQL has it.
func (x *examination) roleName() string { return pgx.Identifier{x.role}.Sanitize() }

// value reads one row into the destinations.
func (x *examination) value(ctx context.Context, sql string, args []any, to ...any) error {
	return x.conn.QueryRow(ctx, sql, args...).Scan(to...)
}

// literal is a string constant as SQL has it.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
