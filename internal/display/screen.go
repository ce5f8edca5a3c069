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

// Screen is the output of a command: a terminal, or a file or pipe, which has no width
// and no colours.
type Screen struct {
	io.Writer
	Terminal bool
	Width    int  // columns; 0: no limit
	Colour   bool // Paint uses colours
}

// NewScreen examines the writer, and NO_COLOR and TERM in environ, which has the form of
// os.Environ. https://no-color.org
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

// Tone is the meaning of a text, which its colour also shows.
type Tone int

// Tones.
const (
	Plain Tone = iota
	Good
	Doubtful
	Bad
	Faint
)

// Paint colours the text by its tone, if the screen has colours.
func (s Screen) Paint(t Tone, plain string) string {
	if !s.Colour || t == Plain {
		return plain
	}
	colours := map[Tone]text.Color{Good: text.FgGreen, Doubtful: text.FgYellow, Bad: text.FgRed, Faint: text.Faint}
	return text.Escape(plain, colours[t].EscapeSeq())
}

// Paragraph prints first and then the text, wrapped at the width of the screen. Further
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

// Wrap reflows paragraphs to the width. Empty lines separate paragraphs.
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

// Printable returns foreign text without characters that control a terminal.
func Printable(foreign string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(foreign, "\uFFFD"))
}

// Excerpt returns the printable beginning of foreign text.
func Excerpt(foreign string, most int) string {
	return text.Snip(Printable(foreign), most, "…")
}
