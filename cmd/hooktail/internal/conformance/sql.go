package conformance

import "strings"

// recordedAddress is where every hook of the recording points, in base.sql and
// in the statements of the scenarios that make hooks.
const recordedAddress = "127.0.0.1:9900"

// Readdress returns the SQL text with the hooks' recorded address replaced by
// host and port of the receiver. It serves base.sql and statements alike.
func Readdress(sql, address string) string {
	return strings.ReplaceAll(sql, recordedAddress, address)
}

// statements splits SQL text at the semicolons outside of quotes and comments.
// It knows the quoting that the recording has: strings with quotes doubled,
// E strings with backslashes, quoted names and line comments. Comments are dropped.
func statements(sql string) []string {
	var all []string
	var current strings.Builder
	for len(sql) > 0 {
		n := 1
		switch {
		case strings.HasPrefix(sql, "--"):
			n = lineEnd(sql)
			sql = sql[n:]
			continue
		case strings.HasPrefix(sql, "E'") && !endsInWord(current.String()):
			length, _ := quoted(sql[2:], '\'', true)
			n = 2 + length
		case sql[0] == '\'':
			length, _ := quoted(sql[1:], '\'', false)
			n = 1 + length
		case sql[0] == '"':
			length, _ := quoted(sql[1:], '"', false)
			n = 1 + length
		case sql[0] == ';':
			all = append(all, strings.TrimSpace(current.String()))
			current.Reset()
			sql = sql[1:]
			continue
		}
		current.WriteString(sql[:n])
		sql = sql[n:]
	}
	if rest := strings.TrimSpace(current.String()); rest != "" {
		all = append(all, rest)
	}
	return all
}

func lineEnd(sql string) int {
	if n := strings.IndexByte(sql, '\n'); n >= 0 {
		return n + 1
	}
	return len(sql)
}

// endsInWord reports whether an E that follows is the end of a name.
func endsInWord(sql string) bool {
	if sql == "" {
		return false
	}
	c := sql[len(sql)-1]
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// quoted is the length of what follows an opening quote, the closing one
// included, and whether there is a closing one.
func quoted(sql string, quote byte, backslash bool) (length int, closed bool) {
	for i := 0; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\':
			i++
		case sql[i] == quote && i+1 < len(sql) && sql[i+1] == quote:
			i++
		case sql[i] == quote:
			return i + 1, true
		}
	}
	return len(sql), false
}

// transactions groups statements by the transaction that they are sent in: one
// alone, or those from BEGIN to its end.
func transactions(statements []string) [][]string {
	var all [][]string
	open := false
	for _, s := range statements {
		if !open {
			all = append(all, nil)
		}
		last := len(all) - 1
		all[last] = append(all[last], s)
		switch s {
		case "BEGIN":
			open = true
		case "COMMIT", "ROLLBACK":
			open = false
		}
	}
	return all
}
