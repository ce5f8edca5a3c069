package cdc

import (
	"fmt"
	"strings"
)

// Plan is what Setup creates and Teardown removes.
type Plan struct {
	Slot        string // "": no slot
	Publication string
	Tables      []Table
	// Failover requests a slot that is synchronized to standbys, if the server supports
	// it (PostgreSQL 17 and later).
	Failover bool
	// Widen lets Setup alter a publication that withholds changes by a row filter, a
	// column list, or unpublished operations. Otherwise such a publication is a *Fault.
	Widen bool
}

// generatedServer is the first version that can publish generated columns. It also
// refuses UPDATEs and DELETEs of a table whose replica identity contains an unpublished
// generated column. https://www.postgresql.org/docs/18/logical-replication-gencols.html
const generatedServer = 180000

// failoverServer is the first version whose slots can be synchronized to standbys.
const failoverServer = 170000

// Statements returns the SQL that Setup would run on a database where nothing of the plan
// exists, in order, each with its semicolon. version is the server's, in the form of
// server_version_num.
func Statements(plan Plan, version int) []string {
	nothing := found{version: version, publication: &publication{}}
	for _, t := range plan.Tables {
		nothing.tables = append(nothing.tables, tableState{Table: t, keyed: []Table{t}})
	}
	statements := nothing.statements(plan)
	if plan.Slot != "" {
		statements = append(statements, createSlot(plan, version))
	}
	return statements
}

func createPublication(plan Plan, version int, viaRoot bool) string {
	sql := "CREATE PUBLICATION " + quoteIdent(plan.Publication)
	if len(plan.Tables) > 0 {
		sql += " FOR TABLE " + tableList(plan.Tables)
	}
	var options []string
	if version >= generatedServer {
		options = append(options, "publish_generated_columns = stored")
	}
	if viaRoot {
		options = append(options, "publish_via_partition_root = true")
	}
	if len(options) > 0 {
		sql += " WITH (" + strings.Join(options, ", ") + ")"
	}
	return sql + ";"
}

func alterPublication(name, change string) string {
	return "ALTER PUBLICATION " + quoteIdent(name) + " " + change + ";"
}

// publishWhole adds the table again without a row filter or a column list. A single
// statement for this would have to name all tables of the publication.
func publishWhole(publication string, t Table) string {
	return fmt.Sprintf("BEGIN; ALTER PUBLICATION %s DROP TABLE %s; ALTER PUBLICATION %[1]s ADD TABLE %[2]s; COMMIT;", quoteIdent(publication), t.quoted())
}

func tableList(tables []Table) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.quoted()
	}
	return strings.Join(names, ", ")
}

func (t Table) quoted() string { return quoteIdent(t.Schema, t.Name) }

// IdentityStatement returns the SQL that sets the table's REPLICA IDENTITY.
func IdentityStatement(t Table, identity string) string {
	return fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY %s;", t.quoted(), identity)
}

func setIdentities(tables []Table, identity string) []string {
	var sql []string
	for _, t := range tables {
		sql = append(sql, IdentityStatement(t, identity))
	}
	return sql
}

func createSlot(plan Plan, version int) string {
	failover := ""
	if plan.Failover && version >= failoverServer {
		failover = ", failover => true"
	}
	return fmt.Sprintf("SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot(%s, 'pgoutput'%s);", quoteText(plan.Slot), failover)
}

func dropSlot(name string) string {
	return fmt.Sprintf("SELECT pg_catalog.pg_drop_replication_slot(%s);", quoteText(name))
}
