package cdc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// Lack is something that a role needs and lacks, and the SQL that grants it.
type Lack struct{ What, Mend string }

// check returns a *Fault that names everything that Setup lacks.
func (in *installer) check(ctx context.Context, f found, besides []Lack) error {
	var lacks []Lack
	if !f.publication.exists {
		lack, err := mayCreate(ctx, in.conn)
		if err != nil {
			return err
		}
		lacks = append(lacks, lack...)
	}
	foreign := in.foreign(f)
	if f.publication.exists && !f.publication.owned && in.alters(f) {
		lack, err := notOwnerOf(ctx, in.conn, in.plan.Publication)
		if err != nil {
			return err
		}
		lacks = append(lacks, lack)
	}
	if in.plan.Slot != "" && f.slot == nil {
		lack, err := in.mayReplicate(ctx)
		if err != nil {
			return err
		}
		lacks = append(lacks, lack...)
		if lack, err = hasRoom(ctx, in.conn); err != nil {
			return err
		}
		lacks = append(lacks, lack...)
	}
	return lacking(foreign, append(lacks, besides...))
}

// alters reports whether the publication must be altered.
func (in *installer) alters(f found) bool {
	return len(f.missing) > 0 || f.publication.noGenerated || len(f.publication.widen()) > 0
}

// foreign returns the Fault of tables that must be altered or published but belong to
// another role, with the statements for their owner; nil: none.
func (in *installer) foreign(f found) *Fault {
	var names, statements []string
	for i, t := range in.plan.Tables {
		if f.tables[i].owned {
			continue
		}
		alter := t.IdentityFull && len(f.tables[i].keyed) > 0
		if alter {
			statements = append(statements, setIdentities(f.tables[i].keyed, "FULL")...)
		}
		if alter || slices.Contains(f.missing, t) {
			names = append(names, t.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	if len(f.missing) > 0 {
		statements = append(in.statements(f)[:1], statements...)
	}
	return &Fault{
		Reason: NotOwner, What: "must be owner of table " + strings.Join(names, ", "),
		Mend: asOwner + strings.Join(statements, " "),
	}
}

// asOwner begins the remedy for tables of another role.
const asOwner = "run as its owner, or let its owner run: "

// lacking returns the *Fault of everything that is lacking; nil: nothing.
func lacking(foreign *Fault, lacks []Lack) error {
	var what, mend []string
	for _, lack := range lacks {
		if !slices.Contains(what, lack.What) {
			what, mend = append(what, lack.What), append(mend, lack.Mend)
		}
	}
	switch {
	case len(lacks) == 0 && foreign == nil:
		return nil
	case len(lacks) == 0:
		return foreign
	case foreign != nil:
		what, mend = append(what, foreign.What), append(mend, "and the owner run "+strings.TrimPrefix(foreign.Mend, asOwner))
	}
	return &Fault{
		Reason: Privilege, What: "the role lacks privileges: " + strings.Join(what, "; "),
		Mend: "nothing was changed; let an administrator run " + strings.Join(mend, " "),
	}
}

// mustBePrimary returns a *Fault if the server accepts no writes.
func mustBePrimary(ctx context.Context, conn *pgconn.PgConn) error {
	r, err := row(ctx, conn, "SELECT pg_catalog.pg_is_in_recovery()")
	if err != nil {
		return fmt.Errorf("ask whether the server is a standby: %w", err)
	}
	if r[0] == "t" {
		return &Fault{Reason: Standby, What: "the server is a standby", Mend: "name the primary in HOOKTAIL_DATABASE_URL, or all servers and target_session_attrs=read-write"}
	}
	return nil
}

// mayCreate checks whether the role may create publications and schemas.
func mayCreate(ctx context.Context, conn *pgconn.PgConn) ([]Lack, error) {
	r, err := row(ctx, conn, "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE'), current_database(), current_user")
	if err != nil {
		return nil, fmt.Errorf("look up privileges on the database: %w", err)
	}
	if r[0] == "t" {
		return nil, nil
	}
	return []Lack{{
		fmt.Sprintf("role %q lacks CREATE on database %q", r[2], r[1]),
		fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;", quoteIdent(r[1]), quoteIdent(r[2])),
	}}, nil
}

// MayCreate returns what the role lacks to create a schema in the database.
func MayCreate(ctx context.Context, conn *pgx.Conn) ([]Lack, error) {
	return mayCreate(ctx, conn.PgConn())
}

// mayReplicate checks whether the role may create and drop slots. Managed services grant
// this in ways that the catalog may not show, so a role without the attribute is tested.
func (in *installer) mayReplicate(ctx context.Context) ([]Lack, error) {
	r, err := row(ctx, in.conn, `SELECT rolsuper OR rolreplication, rolname, rolname = session_user,
		coalesce((SELECT 'GRANT ' || quote_ident(g.rolname) || ' TO ' || quote_ident(r.rolname) || ';' FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication'),
			'ALTER ROLE ' || quote_ident(r.rolname) || ' REPLICATION;')
		FROM pg_catalog.pg_roles r WHERE rolname = current_user`)
	if err != nil {
		return nil, fmt.Errorf("look up the role's attributes: %w", err)
	}
	if r[0] == "t" {
		return nil, nil
	}
	if r[2] == "t" {
		_, err := CheckReplication(ctx, in.config)
		if err == nil {
			return nil, nil
		}
		if postgres.Code(err) != postgres.InsufficientPrivilege && postgres.Code(err) != postgres.InvalidAuthorization {
			return nil, fmt.Errorf("try whether role %q may replicate: %w", r[1], err)
		}
	}
	return []Lack{{fmt.Sprintf("role %q lacks the attribute REPLICATION", r[1]), r[3]}}, nil
}

// hasRoom checks whether the server has a free slot and a free WAL sender.
func hasRoom(ctx context.Context, conn *pgconn.PgConn) ([]Lack, error) {
	r, err := row(ctx, conn, `SELECT current_setting('max_replication_slots'), (SELECT count(*) FROM pg_catalog.pg_replication_slots),
		current_setting('max_wal_senders'), (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders())`)
	if err != nil {
		return nil, fmt.Errorf("count replication slots: %w", err)
	}
	var n [4]int
	for i, text := range r {
		if n[i], err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("count replication slots: %w", err)
		}
	}
	var lacks []Lack
	if n[1] >= n[0] {
		lacks = append(lacks, Lack{
			fmt.Sprintf("all replication slots of the server are in use (max_replication_slots = %d)", n[0]),
			fmt.Sprintf("ALTER SYSTEM SET max_replication_slots = %d; and restart PostgreSQL, or drop a slot that nobody reads;", max(n[0], n[1])+1),
		})
	}
	if n[3] >= n[2] {
		lacks = append(lacks, Lack{
			fmt.Sprintf("all WAL senders of the server are in use (max_wal_senders = %d)", n[2]),
			fmt.Sprintf("ALTER SYSTEM SET max_wal_senders = %d; and restart PostgreSQL;", max(n[2], n[3])+1),
		})
	}
	return lacks, nil
}

func notOwnerOf(ctx context.Context, conn *pgconn.PgConn, publication string) (Lack, error) {
	r, err := row(ctx, conn, "SELECT current_user")
	if err != nil {
		return Lack{}, fmt.Errorf("read the role's name: %w", err)
	}
	return Lack{
		fmt.Sprintf("must be owner of publication %q", publication),
		fmt.Sprintf("ALTER PUBLICATION %s OWNER TO %s;", quoteIdent(publication), quoteIdent(r[0])),
	}, nil
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
