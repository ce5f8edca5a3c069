package conformance

import (
	"fmt"
	"regexp"
	"strings"
)

// columnTypes reads the types of all columns from the CREATE TABLE statements
// of a pg_dump: table → column → type.
func columnTypes(schema string) map[string]map[string]string {
	table := regexp.MustCompile(`(?ms)^CREATE TABLE public\.(\w+) \((.*?)^\);`)
	column := regexp.MustCompile(`(?m)^    "?(\w+)"? (integer|bigint|boolean|double precision|jsonb|timestamp with time zone|\w+)`)
	types := map[string]map[string]string{}
	for _, t := range table.FindAllStringSubmatch(schema, -1) {
		types[t[1]] = map[string]string{}
		for _, c := range column.FindAllStringSubmatch(t[2], -1) {
			types[t[1]][c[1]] = c[2]
		}
	}
	return types
}

// copyRows reads the rows of the COPY blocks of a pg_dump, table by table.
func copyRows(dump string) (map[string][]Row, error) {
	header := regexp.MustCompile(`^COPY public\.(\w+) \((.*)\) FROM stdin;$`)
	rows := map[string][]Row{}
	var table string
	var columns []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSuffix(line, "\n")
		if h := header.FindStringSubmatch(line); h != nil {
			table, columns = h[1], strings.Split(h[2], ", ")
			continue
		}
		switch {
		case table == "":
		case line == `\.`:
			table = ""
		default:
			fields := strings.Split(line, "\t")
			if len(fields) != len(columns) {
				return nil, fmt.Errorf("copy %s: %d fields for %d columns", table, len(fields), len(columns))
			}
			row := Row{}
			for i, name := range columns {
				row[strings.Trim(name, `"`)] = copyValue(fields[i])
			}
			rows[table] = append(rows[table], row)
		}
	}
	return rows, nil
}

// copyValue reads a field of COPY's text format.
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
func copyValue(field string) Value {
	if field == `\N` {
		return Value{Null: true}
	}
	escapes := strings.NewReplacer(`\\`, `\`, `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
	return Value{Text: escapes.Replace(field)}
}
