package display

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Screen is where a command prints: a terminal, or a file or pipe, which has no width
// and no colours.
type Screen struct {
	io.Writer
	Terminal bool
	Width    int  // columns; 0: no limit
	Colour   bool // whether Paint colours
}

// NewScreen looks at the writer, and at NO_COLOR and TERM of the environment, which is
// in the form of os.Environ. https://no-color.org
func NewScreen(w io.Writer, environ []string) Screen {
	s := Screen{Writer: w}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.Terminal = true
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		s.Width = width
	}
	s.Colour = !slices.ContainsFunc(environ, func(e string) bool {
		value, found := strings.CutPrefix(e, "NO_COLOR=")
		return found && value != "" || e == "TERM=dumb"
	})
	return s
}

// Tone is what a text means, which colours show as well.
type Tone int

// The tones.
const (
	Plain Tone = iota
	Good
	Doubtful
	Bad
	Faint
)

// Paint colours the text by its tone, where there are colours.
func (s Screen) Paint(t Tone, plain string) string {
	if !s.Colour || t == Plain {
		return plain
	}
	colours := map[Tone]text.Color{Good: text.FgGreen, Doubtful: text.FgYellow, Bad: text.FgRed, Faint: text.Faint}
	return text.Escape(plain, colours[t].EscapeSeq())
}

// Paragraph prints the text after first, wrapped at the width of the screen; further
// lines begin with indent, which is as wide as first.
func (s Screen) Paragraph(first, indent, plain string) {
	if width := s.Width - len(indent); width > 20 {
		plain = text.WrapSoft(plain, width)
	}
	for line := range strings.Lines(plain) {
		fmt.Fprintln(s, first+strings.TrimRight(line, " \n"))
		first = indent
	}
}

// Wrap lays paragraphs out anew, in lines of that width. An empty line is between two.
func Wrap(prose string, width int) string {
	paragraphs := strings.Split(prose, "\n\n")
	for i, p := range paragraphs {
		lines := strings.Split(text.WrapSoft(strings.Join(strings.Fields(p), " "), width), "\n")
		for j := range lines {
			lines[j] = strings.TrimSpace(lines[j])
		}
		paragraphs[i] = strings.Join(lines, "\n")
	}
	return strings.Join(paragraphs, "\n\n")
}

// Printable is text of somebody else, of which nothing can steer the terminal.
func Printable(foreign string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(foreign, "\uFFFD"))
}

// Excerpt is the printable beginning of a text of somebody else.
func Excerpt(foreign string, most int) string {
	return text.Snip(Printable(foreign), most, "…")
}
