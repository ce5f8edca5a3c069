package display

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Table is rows in columns, cut at the width of the screen. It prints nothing before
// Flush. The text of a cell may be somebody else's: it cannot steer the terminal.
type Table struct {
	screen Screen
	rows   table.Writer
	notes  map[int]string // under the row of that number
	header bool
	length int
}

// Cell is a text with a tone.
type Cell struct {
	Text string
	Tone Tone
}

// Table begins a table; without a header its first column names the others.
func (s Screen) Table(header ...any) *Table {
	rows := table.NewWriter()
	rows.SetStyle(table.Style{
		Box:     table.BoxStyle{PaddingRight: "  ", UnfinishedRow: "…"},
		Options: table.OptionsNoBordersAndSeparators,
		Size:    table.SizeOptions{WidthMax: s.Width},
	})
	rows.SuppressTrailingSpaces()
	t := &Table{screen: s, rows: rows, notes: map[int]string{}, header: len(header) > 0}
	if t.header {
		rows.AppendHeader(header)
	}
	return t
}

// Row adds a row. A cell is a Cell, or whatever fmt prints.
func (t *Table) Row(cells ...any) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		switch cell := cell.(type) {
		case Cell:
			row[i] = t.screen.Paint(cell.Tone, Printable(cell.Text))
		case int, int64, uint64:
			row[i] = cell
		default:
			row[i] = Printable(fmt.Sprint(cell))
		}
	}
	t.rows.AppendRow(row)
	t.length++
}

// Note adds a text under the last row, on as many lines as it takes.
func (t *Table) Note(note string) { t.notes[t.length-1] = Printable(note) }

const noteIndent = "      "

// Flush prints the table.
func (t *Table) Flush() error {
	if t.length == 0 && !t.header {
		return nil
	}
	lines := strings.Split(t.rows.Render(), "\n")
	first := 0
	if t.header {
		first = 1
	}
	for i, line := range lines {
		if _, err := fmt.Fprintln(t.screen, line); err != nil {
			return fmt.Errorf("print table: %w", err)
		}
		if note := t.notes[i-first]; note != "" {
			t.screen.Paragraph(noteIndent, noteIndent, t.screen.Paint(Faint, note))
		}
	}
	return nil
}
