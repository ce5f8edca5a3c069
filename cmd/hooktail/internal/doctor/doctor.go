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
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
)

// Severity is the severity of a finding.
type Severity string

// Severities.
const (
	OK      Severity = "ok"
	Note    Severity = "note"    // no action is required
	Warning Severity = "warning" // something is or will be lost, late or duplicated
	Failure Severity = "failure" // hooktail cannot run, loses events, or endangers the application or its database
)

// Finding is a result of a check. Its JSON is stable: fields are only added, an ID keeps
// its meaning, and the texts are for people.
type Finding struct {
	ID       string   `json:"id"` // id of the check
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Why      string   `json:"why"`  // why it matters; "" if ok
	Mend     string   `json:"mend"` // SQL or command, ready to paste; "" if ok
}

// Options configures an examination.
type Options struct {
	Config      config.Config
	Plan        cdc.Plan // the plan of setup, with the identities that it would set
	Hooks       hook.Options
	Secrets     send.Keyring
	Keyed       bool         // Secrets has a key
	Sender      *send.Sender // the sender that run would use
	Open        func(context.Context) (*pgxpool.Pool, error)
	OpenLog     func() (*natslog.Log, error) // nil: there is no log
	Replication *pgconn.Config               // options of an ordinary connection
	NotSenders  []string                     // application names of programs that do not send webhooks
	Now         func() time.Time

	// Redirects returns, by hook, the redirects that the running hooktail has seen; nil
	// if it is not running.
	Redirects func(context.Context) map[int64]string

	Long time.Duration // age from which a transaction is reported; 0: 5 minutes
}

// check is one check. If it returns no findings, the result is ok, with the text fine.
type check struct {
	id   string
	fine string
	look look
}

type look func(context.Context, *examination) ([]Finding, error)

// withState makes a check only if hooktail's own tables can be read.
func withState(look look) look {
	return func(ctx context.Context, x *examination) ([]Finding, error) {
		if err := state.Check(ctx, x.conn, x.Config.StateSchema); err != nil {
			return fine("unknown: hooktail's own tables cannot be read"), nil //nolint:nilerr // said elsewhere
		}
		return look(ctx, x)
	}
}

// checks are all checks that need the database, in the order of the report.
func checks() []check {
	return []check{
		{"pooler", "there is no pooler between hooktail and the server", lookForPooler},
		{"role", "the role is not a superuser", lookAtRole},
		{"settings", "no relevant settings are set for the role or the database", lookAtSettings},
		{"server_version", "", lookAtVersion},
		{"primary", "the server is a primary", lookAtPrimary},
		{"wal_level", "the WAL can be decoded", lookAtWALLevel},
		{"replication", "the role may stream", lookAtReplication},
		{"replication_slots", "", lookAtSlots},
		{"wal_senders", "", lookAtSenders},
		{"synchronous_standby_names", "commits do not wait for hooktail", lookAtSynchronous},
		{"connections", "", lookAtConnections},
		{"clock", "the clocks agree", lookAtClock},
		{"max_slot_wal_keep_size", "", lookAtKeepSize},
		{"idle_replication_slot_timeout", "no slot is dropped for being idle", lookAtIdleTimeout},
		{"transactions", "no transaction is open for long", lookAtTransactions},
		{"prepared_transactions", "no transaction is prepared for long", lookAtPrepared},
		{"tables", "the application's tables exist", lookAtTables},
		{"privileges", "the role may read the application's tables", lookAtPrivileges},
		{"functions", "the role may call the server's functions", lookAtFunctions},
		{"row_security", "no row is hidden from the role", lookAtRowSecurity},
		{"columns", "the columns that the rules need exist", lookAtColumns},
		{"replica_identity", "deletions contain all required columns", lookAtIdentity},
		{"state_schema", "hooktail's own tables exist", lookAtState},
		{"copy", "hooktail's own tables belong to this database", withState(lookAtCopy)},
		{"position", "the slot is the same as in the last run", withState(lookAtPosition)},
		{"adopt_privilege", "the role may adopt hooks", lookAtAdopt},
		{"publication", "the publication has all tables and operations", lookAtPublication},
		{"publication_contents", "all rows are published completely", lookAtContents},
		{"publication_age", "the publication is older than the slot", lookAtAge},
		{"slot", "", lookAtSlot},
		{"other_slots", "hooktail reads no other slot of this database", withState(lookAtOtherSlots)},
		{"failover", "a promoted standby has the slot", lookAtFailover},
		{"hooks", "", lookAtHooks},
		{"custom_events", "the function of custom events and its secret are intact", lookAtEmit},
		{"hook_actions", "the hooks' actions exist", lookAtActions},
		{"task_events", "the stream shows when tasks are completed", lookAtTaskEvents},
		{"duplicate_hooks", "no two hooks send the same events", lookAtDuplicates},
		{"secrets", "the signing secrets can be decrypted", withState(lookAtSecrets)},
		{"double_sender", "no hook has two senders", lookAtSenderOfHooks},
		{"failure_counter", "Label Studio does not deactivate hooks that hooktail serves", lookAtCounter},
		{"egress", "the receivers can be reached", lookAtEgress},
		{"redirects", "no redirects are known", lookAtRedirects},
	}
}

// examination is one run over all checks.
type examination struct {
	Options
	conn     *pgx.Conn
	pool     *pgxpool.Pool
	log      *natslog.Log // nil: there is none
	role     string
	super    bool
	version  int // server_version_num
	systemID string
	loaded   *hook.Set // the loaded hooks; nil if they cannot be read
	emits    bool      // whether custom events can be sent; set by custom_events
}

const (
	queryTime = 10 * time.Second // timeout of each query, in the server
	checkTime = time.Minute      // timeout of each check, in case the server becomes unreachable
)

// Examine makes all checks in sequence on one connection and returns their findings in a
// fixed order, at least one for each. Without a connection, that is the only finding. It
// ends early only with the context.
func Examine(ctx context.Context, o Options) []Finding {
	if o.Long == 0 {
		o.Long = 5 * time.Minute
	}
	x := &examination{Options: o}
	findings := x.make(ctx, check{id: "connection", look: connect})
	if findings[0].Severity == Failure {
		return findings
	}
	defer x.pool.Close()
	defer x.conn.Close(context.WithoutCancel(ctx)) // not reused: its settings were changed
	for _, c := range checks() {
		findings = append(findings, x.make(ctx, c)...)
	}
	if x.OpenLog != nil {
		findings = append(findings, x.examineLog(ctx)...)
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
		Severity: Warning, What: fmt.Sprintf("could not be checked: %v", err),
		Why:  "There may be an undetected problem.",
		Mend: "fix what is reported above, and run `hooktail doctor` again",
	}
	const insufficientPrivilege = "42501"
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		f.Severity = Note
		f.Mend = "grant the role what deploy/role.sql grants, or run `hooktail doctor` as the owner of the tables"
	}
	return f
}

// failed is the finding for an error that ends a run.
func failed(err error, why string) Finding {
	f := Finding{Severity: Failure, What: strings.Join(strings.Fields(err.Error()), " "), Why: why, Mend: "check HOOKTAIL_DATABASE_URL, network and server"}
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

// faults turns a *cdc.Fault into a finding; it returns other errors.
func faults(err error, why string) ([]Finding, error) {
	if _, ok := errors.AsType[*cdc.Fault](err); ok {
		return []Finding{failed(err, why)}, nil
	}
	return nil, err
}

func one(s Severity, what, why, mend string) []Finding {
	return []Finding{{Severity: s, What: what, Why: why, Mend: mend}}
}

func fine(format string, args ...any) []Finding {
	return one(OK, fmt.Sprintf(format, args...), "", "")
}

func (x *examination) table(name string) string {
	return pgx.Identifier{x.Config.SourceSchema, name}.Sanitize()
}

func (x *examination) roleName() string { return pgx.Identifier{x.role}.Sanitize() }

func (x *examination) value(ctx context.Context, sql string, args []any, to ...any) error {
	return x.conn.QueryRow(ctx, sql, args...).Scan(to...)
}

// each reads the rows of a query into the destinations, and calls do after each.
func (x *examination) each(ctx context.Context, sql string, args, to []any, do func()) error {
	rows, _ := x.conn.Query(ctx, sql, args...) // the rows have its error
	_, err := pgx.ForEachRow(rows, to, func() error { do(); return nil })
	return err
}

// column reads rows of one text.
func (x *examination) column(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, _ := x.conn.Query(ctx, sql, args...) // the rows have its error
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// literal returns a string constant.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
