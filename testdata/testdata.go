// Package testdata holds Label Studio's schema, base data and recorded changes
// for the demo and the tests. What is recorded and how is told in
// labelstudio/README.md.
//
// The pattern ./... leaves a folder of this name out, so it is vetted by name.
package testdata

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// LabelStudio has labelstudio/schema.sql, labelstudio/base.sql and the
// changes.sql of each recorded scenario.
//
//go:embed labelstudio/schema.sql labelstudio/base.sql labelstudio/scenarios/*/changes.sql
var LabelStudio embed.FS

// Load makes Label Studio's tables in an empty database and fills them with
// the base data of the recorded scenarios.
func Load(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range []string{"schema.sql", "base.sql"} {
		script, err := LabelStudio.ReadFile("labelstudio/" + name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := loadScript(ctx, conn, string(script)); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

var copyBlock = regexp.MustCompile(`(?ms)^(COPY [^\n]* FROM stdin);\n(.*?)^\\\.\n`)

// loadScript runs a script of pg_dump: SQL with COPY blocks in between.
func loadScript(ctx context.Context, conn *pgx.Conn, script string) error {
	pg := conn.PgConn()
	for script != "" {
		block := copyBlock.FindStringSubmatchIndex(script)
		if block == nil {
			_, err := pg.Exec(ctx, script).ReadAll()
			return err
		}
		if _, err := pg.Exec(ctx, script[:block[0]]).ReadAll(); err != nil {
			return err
		}
		statement, data := script[block[2]:block[3]], script[block[4]:block[5]]
		if _, err := pg.CopyFrom(ctx, strings.NewReader(data), statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		script = script[block[1]:]
	}
	return nil
}

// Changes are the statements of a recorded scenario, as the application sent
// them: each alone or between BEGIN and COMMIT.
func Changes(scenario string) ([]string, error) {
	script, err := LabelStudio.ReadFile("labelstudio/scenarios/" + scenario + "/changes.sql")
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return Statements(script), nil
}

// Statements splits a script at the semicolons outside of quotes and comments.
func Statements(script []byte) []string {
	var out []string
	for _, text := range statement.FindAll(script, -1) {
		if s := bytes.TrimSpace(comments.ReplaceAll(text, nil)); len(s) > 0 {
			out = append(out, string(s))
		}
	}
	return out
}

var (
	statement = regexp.MustCompile(`(--.*|'[^']*'|"[^"]*"|[^;])+`) // a doubled quote is the start of the next literal
	comments  = regexp.MustCompile(`^(\s*--.*(\n|$))*`)            // lines before a statement
)

// Play runs the statements one after the other on the connection.
func Play(ctx context.Context, conn *pgx.Conn, statements []string) error {
	for _, s := range statements {
		if _, err := conn.PgConn().Exec(ctx, s).ReadAll(); err != nil {
			return fmt.Errorf("play %.80q: %w", s, err)
		}
	}
	return nil
}
