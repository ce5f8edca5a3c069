package cdc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// Lack is something that a role or a publication needs and lacks, and the SQL that mends it.
type Lack struct{ What, Mend string }

// check returns a *Fault that names everything that Setup lacks.
func (in *installer) check(ctx context.Context, f found, lacks []Lack) error {
	role, err := roleOf(ctx, in.session)
	if err != nil {
		return err
	}
	var needs []Lack
	alters := len(f.missing) > 0 || f.publication.noGenerated || len(f.publication.withheld) > 0
	switch {
	case !f.publication.exists:
		needs = role.mayCreate()
	case !f.publication.owned && alters:
		needs = append(needs, role.mustOwn(in.plan.Publication))
	}
	if in.plan.Slot != "" && f.slot == nil {
		lack, err := role.mayReplicate(ctx, in.session)
		if err != nil {
			return err
		}
		needs = slices.Concat(needs, lack, role.hasRoom())
	}
	tables, statements := in.foreign(f)
	return lacking(append(needs, lacks...), tables, statements)
}

// foreign returns the tables that must be altered or published but belong to another role,
// with the statements for their owner.
func (in *installer) foreign(f found) (tables, statements []string) {
	for _, t := range f.tables {
		alter := t.IdentityFull && len(t.keyed) > 0
		if !t.owned && alter {
			statements = append(statements, setIdentities(t.keyed, "FULL")...)
		}
		if !t.owned && (alter || slices.Contains(f.missing, t.Table)) {
			tables = append(tables, t.String())
		}
	}
	if len(tables) > 0 && len(f.missing) > 0 {
		statements = append(f.statements(in.plan)[:1], statements...)
	}
	return tables, statements
}

// lacking returns the *Fault of everything that is lacking; nil: nothing. The statements
// are for the owner of foreign tables.
func lacking(lacks []Lack, foreign, statements []string) error {
	owner := &Fault{Reason: NotOwner, What: "must be owner of table " + strings.Join(foreign, ", "), Mend: strings.Join(statements, " ")}
	switch {
	case len(lacks) == 0 && len(foreign) == 0:
		return nil
	case len(lacks) == 0:
		owner.Mend = "run as its owner, or let its owner run: " + owner.Mend
		return owner
	case len(foreign) > 0:
		lacks = append(lacks, Lack{owner.What, "and the owner run " + owner.Mend})
	}
	what, mend := texts(lacks)
	return &Fault{
		Reason: Privilege, What: "the role lacks privileges: " + strings.Join(what, "; "),
		Mend: "nothing was changed; let an administrator run " + strings.Join(mend, " "),
	}
}

// texts returns what is lacking and what mends it, each text once.
func texts(lacks []Lack) (what, mend []string) {
	for _, lack := range lacks {
		if !slices.Contains(what, lack.What) {
			what = append(what, lack.What)
		}
		if !slices.Contains(mend, lack.Mend) {
			mend = append(mend, lack.Mend)
		}
	}
	return what, mend
}

// mustBePrimary returns a *Fault if the server accepts no writes.
func mustBePrimary(ctx context.Context, conn *pgconn.PgConn) error {
	standby, err := isStandby(ctx, conn)
	if err == nil && standby {
		return &Fault{Reason: Standby, What: standbyWhat, Mend: standbyMend}
	}
	return err
}

const (
	standbyWhat = "the server is a standby"
	standbyMend = "name the primary in HOOKTAIL_DATABASE_URL, or all servers and target_session_attrs=read-write"
)

func isStandby(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	r, err := row(ctx, conn, "SELECT pg_catalog.pg_is_in_recovery()")
	if err != nil {
		return false, fmt.Errorf("ask whether the server is a standby: %w", err)
	}
	return r[0] == "t", nil
}

// role is what the session's role may do, and how many slots and WAL senders the server
// has for it.
type role struct {
	name, database       string
	creates              bool   // publications and schemas in the database
	replicates           bool   // it has the attribute REPLICATION
	itself               bool   // it has logged in, and no other role acts as it
	grant                string // SQL that lets it replicate
	slots, slotsUsed     int
	senders, sendersUsed int
}

func roleOf(ctx context.Context, conn *pgx.Conn) (r role, err error) {
	err = conn.QueryRow(ctx, `SELECT r.rolname, current_database(), pg_catalog.has_database_privilege(current_database(), 'CREATE'),
		r.rolsuper OR r.rolreplication, r.rolname = session_user,
		coalesce((SELECT 'GRANT ' || quote_ident(g.rolname) || ' TO ' || quote_ident(r.rolname) || ';' FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication'),
			'ALTER ROLE ' || quote_ident(r.rolname) || ' REPLICATION;'),
		current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_catalog.pg_replication_slots),
		current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders())
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`).
		Scan(&r.name, &r.database, &r.creates, &r.replicates, &r.itself, &r.grant, &r.slots, &r.slotsUsed, &r.senders, &r.sendersUsed)
	if err != nil {
		return r, fmt.Errorf("look up the role's privileges: %w", err)
	}
	return r, nil
}

// MayCreate returns what the role lacks to create publications and schemas in the database.
func MayCreate(ctx context.Context, conn *pgx.Conn) ([]Lack, error) {
	r, err := roleOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	return r.mayCreate(), nil
}

func (r role) mayCreate() []Lack {
	if r.creates {
		return nil
	}
	return []Lack{{
		fmt.Sprintf("role %q lacks CREATE on database %q", r.name, r.database),
		fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;", quoteIdent(r.database), quoteIdent(r.name)),
	}}
}

// mayReplicate checks whether the role may create and drop slots. Managed services grant
// this in ways that the catalog may not show, so a role without the attribute is tested.
func (r role) mayReplicate(ctx context.Context, conn *pgx.Conn) ([]Lack, error) {
	if r.replicates {
		return nil, nil
	}
	if r.itself {
		_, err := CheckReplication(ctx, &conn.Config().Config)
		if err == nil {
			return nil, nil
		}
		if code := postgres.Code(err); code != postgres.InsufficientPrivilege && code != postgres.InvalidAuthorization {
			return nil, fmt.Errorf("try whether role %q may replicate: %w", r.name, err)
		}
	}
	return []Lack{{fmt.Sprintf("role %q lacks the attribute REPLICATION", r.name), r.grant}}, nil
}

// hasRoom checks whether the server has a free slot and a free WAL sender.
func (r role) hasRoom() (lacks []Lack) {
	if r.slotsUsed >= r.slots {
		lacks = append(lacks, Lack{
			fmt.Sprintf("all replication slots of the server are in use (max_replication_slots = %d)", r.slots),
			fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; and restart PostgreSQL, or drop a slot that nobody reads;", r.slotsUsed+1),
		})
	}
	if r.sendersUsed >= r.senders {
		lacks = append(lacks, Lack{
			fmt.Sprintf("all WAL senders of the server are in use (max_wal_senders = %d)", r.senders),
			fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; and restart PostgreSQL;", r.sendersUsed+1),
		})
	}
	return lacks
}

// mustOwn is what a role lacks that does not own the publication.
func (r role) mustOwn(publication string) Lack {
	return Lack{
		fmt.Sprintf("must be owner of publication %q", publication),
		fmt.Sprintf("ALTER PUBLICATION %s OWNER TO %s;", quoteIdent(publication), quoteIdent(r.name)),
	}
}

// refused adds the remedy if the server refuses a statement in spite of the checks.
func refused(err error) error {
	if postgres.Code(err) != postgres.InsufficientPrivilege {
		return err
	}
	return &Fault{
		Privilege, "the role lacks a privilege",
		"publications need CREATE on the database and ownership of the tables, slots need the attribute REPLICATION", err,
	}
}
