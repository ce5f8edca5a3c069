package dispatch

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hooktail/hooktail/mapping"
)

// keptAnswer is how much of an answer is kept to be shown, and readAnswer how much
// is looked at for it.
const (
	keptAnswer = 256
	readAnswer = 1 << 10
)

// answer is how the body of an answer begins. Its words that are in the request's
// body as well are marked: who may not see payloads may not see those.
type answer struct {
	n        int
	text     [readAnswer]byte
	repeated [keptAnswer / 8]byte // a bit for each byte
	finish   func(io.ReadCloser)  // read, made once
}

// answers are used again.
type answers struct{ pool sync.Pool }

func (p *answers) take() *answer {
	if a, ok := p.pool.Get().(*answer); ok {
		a.n, a.repeated = 0, [keptAnswer / 8]byte{}
		return a
	}
	a := &answer{}
	a.finish = a.read
	return a
}

func (p *answers) give(a *answer) { p.pool.Put(a) }

// observe is Send, with the beginning of the answer.
func (s *Sender) observe(ctx context.Context, hook *Hook, m Message, a *answer) Outcome {
	return s.exchange(ctx, hook, m, nil, a.finish)
}

// read takes what it keeps and discards the rest.
func (a *answer) read(body io.ReadCloser) {
	for a.n < len(a.text) {
		n, err := body.Read(a.text[a.n:])
		a.n += n
		if err != nil {
			_ = body.Close()
			return
		}
	}
	discard(body)
}

// screen removes secrets of the hook, and marks what repeats the request.
func (a *answer) screen(hook *Hook, request mapping.Body) {
	if a.n < shortWord {
		return
	}
	text := a.text[:a.n]
	hook.blot(text)
	a.n = min(a.n, keptAnswer)
	for from, to := range words(text) {
		if from >= a.n {
			break
		}
		if to-from >= shortWord && isIn(text[from:to], request) {
			for i := from; i < min(to, a.n); i++ {
				a.repeated[i/8] |= 1 << (i % 8)
			}
		}
	}
}

// isIn reports whether the word is in the JSON text, other than in the name of a
// field: those are the application's words, and a receiver that complains needs them.
func isIn(word []byte, body mapping.Body) bool {
	for piece := range body.Pieces() { // which begin and end between words
		if isInPiece(word, piece) {
			return true
		}
	}
	return false
}

func isInPiece(word, text []byte) bool {
	const patience = 64 // what comes so often is taken to be in a value too
	for range patience {
		i := bytes.Index(text, word)
		if i < 0 {
			return false
		}
		text = text[i+len(word):]
		end := 0
		for end < len(text) && (inWord(text[end]) || text[end] == '_') {
			end++
		}
		if !bytes.HasPrefix(text[end:], []byte(`":`)) {
			return true
		}
	}
	return true
}

// Words that are shorter tell nothing: they may be anything.
const (
	shortWord   = 3
	shortSecret = 5
)

// privateOf is the values of a hook's headers, and the credentials and the query of
// its URL.
func privateOf(template *http.Request, u URL) *[]string {
	var list []string
	add := func(secret string) {
		if len(secret) >= shortSecret {
			list = append(list, secret)
		}
	}
	add(template.URL.RawQuery)
	if user := u.parsed.User; user != nil {
		password, _ := user.Password()
		add(user.Username())
		add(password)
	}
	for name, values := range template.Header {
		if name != "Content-Type" && name != "User-Agent" {
			for _, value := range values {
				add(value)
			}
		}
	}
	return &list
}

// blot overwrites what the text repeats of what is private to the hook: all of a
// value, or one of its words.
func (h *Hook) blot(text []byte) {
	if h.private == nil || len(*h.private) == 0 {
		return
	}
	for _, secret := range *h.private {
		for rest := text; ; {
			i := bytes.Index(rest, []byte(secret))
			if i < 0 {
				break
			}
			fill(rest[i : i+len(secret)])
			rest = rest[i+len(secret):]
		}
	}
	for from, to := range words(text) {
		word := text[from:to]
		repeats := func(secret string) bool { return strings.Contains(secret, string(word)) }
		if len(word) >= shortSecret && slices.ContainsFunc(*h.private, repeats) {
			fill(word)
		}
	}
}

func fill(text []byte) {
	for i := range text {
		text[i] = '*'
	}
}

// words are the stretches of letters and digits, and of what is not ASCII.
func words(text []byte) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		from := -1
		for i := 0; i <= len(text); i++ {
			inside := i < len(text) && inWord(text[i])
			switch {
			case inside && from < 0:
				from = i
			case !inside && from >= 0:
				if !yield(from, i) {
					return
				}
				from = -1
			}
		}
	}
}

func inWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf
}

// shown is the text of an answer that was screened: all of it, or with *** for each
// word that the request has as well.
func shown(text, repeated []byte, all bool) string {
	if all {
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if repeated[i/8]&(1<<(i%8)) == 0 {
			b.WriteByte(text[i])
			continue
		}
		if i == 0 || repeated[(i-1)/8]&(1<<((i-1)%8)) == 0 {
			b.WriteString(mask)
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
