package cdc

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Published identifies the content of a publication by catalog ids: of the publication
// (under the empty name), of its options (under optionsKey), and of each table's entries.
// Something removed and added again has a new id.
//
// A table may have several entries, separated by blanks: its own, its schema's, and that
// of a publication of all tables. Each is "PLACE/RELATION" in catalog ids, followed by
// '!' if changes are withheld.
type Published map[string]string

// optionsKey cannot be a table's name, which contains a dot.
const optionsKey = "options"

// Lost describes what is or was missing; "" if nothing.
func (p Published) Lost(now Published) (why string) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		id, there := now[name]
		kept, whole := compare(p[name], id)
		switch {
		case id == p[name]:
		case name == "" && !there:
			why = "the publication was dropped"
		case name == "":
			why = "the publication was dropped and recreated"
		case name == optionsKey:
			if there && alteredBack(p[name], id) {
				why = "the publication was altered and changed back"
			}
		case !there:
			why = fmt.Sprintf("table %s was removed from the publication", name)
		case kept:
		case !whole:
			why = fmt.Sprintf("table %s got a row filter or a column list in the publication", name)
		default:
			why = fmt.Sprintf("table %s was removed from the publication and added again", name)
		}
		if why != "" {
			break
		}
	}
	return why
}

// compare reports whether a table has kept one of its entries, and whether it has an
// entry now with all changes.
func compare(before, now string) (kept, whole bool) {
	for place := range strings.FieldsSeq(now) {
		if strings.HasSuffix(place, "!") {
			continue
		}
		whole = true
		kept = kept || slices.Contains(strings.Fields(before), place)
	}
	return kept, whole
}

// alteredBack reports whether the publication's row was written with the same content:
// then it may have had other content in between, such as publishing no deletes. A row
// with other content was altered once, and is checked by itself.
func alteredBack(before, now string) bool {
	written, said, _ := strings.Cut(before, " ")
	writtenNow, saidNow, _ := strings.Cut(now, " ")
	return written != writtenNow && said == saidNow
}

// relations returns the ids of the published relations.
func (p Published) relations() map[uint32]string {
	ids := make(map[uint32]string, len(p))
	for name, places := range p {
		for place := range strings.FieldsSeq(places) {
			_, relation, ok := strings.Cut(strings.TrimSuffix(place, "!"), "/")
			if id, err := strconv.ParseUint(relation, 10, 32); ok && err == nil {
				ids[uint32(id)] = name
			}
		}
	}
	return ids
}

// namesOf returns the tables by the ids of their relations.
func namesOf(tables []Table, p Published) map[uint32]Table {
	names := make(map[uint32]Table)
	for id, name := range p.relations() {
		if i := slices.IndexFunc(tables, func(t Table) bool { return t.String() == name }); i >= 0 {
			names[id] = tables[i]
		}
	}
	return names
}

// memberQuery returns the beginning of a query, with a table expression member: how each
// of the tables is published, also one that had its name when it was known and that nobody
// else has taken since. A table may have several rows.
func memberQuery(conn *pgconn.PgConn, publication string, tables []Table, known Published) string {
	was := "(0, '')" // a list needs at least one element
	for id, name := range known.relations() {
		was += fmt.Sprintf(", (%d, %s)", id, quoteText(name))
	}
	bySchema := ""
	if serverMajor(conn) >= 15 {
		bySchema = `
			UNION ALL SELECT t.oid, t.name, t.relkind, p.pubviaroot, 'schema:' || s.oid, false, false
			FROM p JOIN pg_catalog.pg_publication_namespace s ON s.pnpubid = p.oid JOIN t ON t.relnamespace = s.pnnspid`
	}
	// to_jsonb reads columns that only some versions have. A table listed in a publication of
	// all tables is one that is not published (EXCEPT, since PostgreSQL 19).
	return `WITH p AS (SELECT p.oid, p.puballtables, p.pubviaroot FROM pg_catalog.pg_publication p WHERE p.pubname = ` + quoteText(publication) + `),
		c AS (SELECT c.oid, c.relkind, c.relnamespace, n.nspname || '.' || c.relname AS name
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')),
		named AS (SELECT * FROM c WHERE name IN (` + textList(tables) + `)),
		t AS (SELECT * FROM named
			UNION ALL SELECT c.oid, c.relkind, c.relnamespace, was.name FROM (VALUES ` + was + `) was (oid, name) JOIN c ON c.oid = was.oid
			WHERE c.oid NOT IN (SELECT oid FROM named) AND was.name NOT IN (SELECT name FROM named)),
		member AS (
			SELECT t.oid, t.name, t.relkind, p.pubviaroot, r.oid::text AS place,
				to_jsonb(r)->>'prqual' IS NOT NULL AS filtered, to_jsonb(r)->>'prattrs' IS NOT NULL AS columns
			FROM p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid JOIN t ON t.oid = r.prrelid WHERE NOT p.puballtables
			UNION ALL SELECT t.oid, t.name, t.relkind, p.pubviaroot, 'all', false, false FROM p CROSS JOIN t WHERE p.puballtables
				AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)` + bySchema + `)`
}

// serverMajor returns the server's major version, as reported when the connection was
// opened.
func serverMajor(conn *pgconn.PgConn) (major int) {
	_, _ = fmt.Sscanf(conn.ParameterStatus("server_version"), "%d", &major) // 18.4 (Debian), 19beta1
	return major
}
