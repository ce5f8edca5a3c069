package display

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table prints rows in columns that fit the screen. It prints nothing before Flush. Cells
// may hold foreign text, which cannot control the terminal.
type Table struct {
	screen Screen
	rows   table.Writer
	widths []int          // of the columns
	notes  map[int]string // text under a row, by the row's number
	header bool
	length int
}

// Cell is a text with a tone.
type Cell struct {
	Text string
	Tone Tone
}

// gap separates columns.
const gap = "  "

// Table begins a table. Without a header, each row is a name and its value and has no
// note.
func (s Screen) Table(header ...any) *Table {
	rows := table.NewWriter()
	style := table.Style{
		Box:     table.BoxStyle{PaddingRight: gap, UnfinishedRow: "…"},
		Options: table.OptionsNoBordersAndSeparators,
	}
	if len(header) > 0 {
		style.Size.WidthMax = s.Width
	}
	rows.SetStyle(style)
	rows.SuppressTrailingSpaces()
	t := &Table{screen: s, rows: rows, notes: map[int]string{}, header: len(header) > 0}
	if t.header {
		rows.AppendHeader(header)
		t.measure(header)
	}
	return t
}

func (t *Table) measure(row table.Row) {
	for i, cell := range row {
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], text.StringWidthWithoutEscSequences(fmt.Sprint(cell)))
	}
}

// Row adds a row. A cell is a Cell, or any value that fmt prints.
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
	t.measure(row)
	t.length++
}

// Note adds a text of any number of lines, perhaps none, under the last row.
func (t *Table) Note(note string) { t.notes[t.length-1] = Printable(note) }

const noteIndent = "      "

// Flush prints the table.
func (t *Table) Flush() error {
	if t.length == 0 && !t.header {
		return nil
	}
	t.cutLast()
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

// leastLast is the minimum width of the last column. If the screen has less, all lines
// are cut, or, without a header, left to the terminal to wrap.
const leastLast = 8

// cutLast fits the last column into the screen: in a table with a header by cutting
// cells, otherwise by wrapping them.
func (t *Table) cutLast() {
	last := len(t.widths) - 1
	left := t.screen.Width
	for _, width := range t.widths[:last] {
		left -= width + len(gap)
	}
	if !t.header && t.screen.Width > 0 {
		left = max(left, leastLast+len(gap))
	}
	if left < leastLast || t.widths[last]+len(gap) <= left {
		return
	}
	cut := text.WrapSoft // shows the whole value
	if t.header {
		cut = func(cell string, width int) string { return text.Snip(cell, width, "…") }
	}
	t.rows.SetColumnConfigs([]table.ColumnConfig{{Number: last + 1, WidthMax: left - len(gap), WidthMaxEnforcer: cut}})
}
