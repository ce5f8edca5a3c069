package conformance

import (
	"regexp"
	"strings"
)

// recordedAddress is the address of all hooks in the recording: in base.sql and in the
// scenarios' statements.
const recordedAddress = "127.0.0.1:9900"

// Readdress replaces the hooks' recorded address by host and port of the receiver. It is
// for base.sql and statements.
func Readdress(sql, address string) string {
	return strings.ReplaceAll(sql, recordedAddress, address)
}

// token matches what may hold a semicolon, and the semicolon itself: line comments, E strings
// with backslashes, strings and quoted names. A doubled quote begins another token.
var token = regexp.MustCompile(`--[^\n]*\n?|\bE'(?:\\(?s:.)|''|[^'\\])*'|'[^']*'|"[^"]*"|;`)

// statements splits SQL text at semicolons outside quotes and comments. Comments are
// dropped.
func statements(sql string) []string {
	var all []string
	var current strings.Builder
	read := 0
	add := func() {
		if s := strings.TrimSpace(current.String()); s != "" {
			all = append(all, s)
		}
		current.Reset()
	}
	for _, at := range token.FindAllStringIndex(sql, -1) {
		current.WriteString(sql[read:at[0]])
		switch text := sql[at[0]:at[1]]; {
		case text == ";":
			add()
		case !strings.HasPrefix(text, "--"):
			current.WriteString(text)
		}
		read = at[1]
	}
	current.WriteString(sql[read:])
	add()
	return all
}

// transactions groups statements by transaction: a single one, or those from BEGIN to its
// end.
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
