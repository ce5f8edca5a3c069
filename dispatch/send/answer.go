package send

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// AnswerBytes is how much of an answer an Answer has at most.
const AnswerBytes = 256

// Answer is how the body of an answer begins. It belongs to one attempt at a time.
type Answer struct {
	n      int
	text   [AnswerBytes]byte
	finish func(io.ReadCloser) // read, made once
}

// NewAnswer is empty, and can be used again.
func NewAnswer() *Answer {
	a := &Answer{}
	a.finish = a.read
	return a
}

// Text is what the receiver has said to the last attempt. It may repeat secrets of the
// hook: see Shown. It is the Answer's own.
func (a *Answer) Text() []byte { return a.text[:a.n] }

// Observe is Send, with the beginning of the answer.
func (s *Sender) Observe(ctx context.Context, hook *hook.Hook, m Message, a *Answer) Outcome {
	a.n = 0
	return s.exchange(ctx, hook, m, nil, a.finish)
}

// read takes what it keeps and discards the rest.
func (a *Answer) read(body io.ReadCloser) {
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

// shortSecret is the length from which on a word is taken to be a secret: shorter ones may
// be anything.
const shortSecret = 5

// privateOf is the values of a hook's headers, and the credentials and the query of
// its URL; nothing of a hook that is refused.
func privateOf(hook *hook.Hook) []string {
	if hook.IsRefused() {
		return nil
	}
	request := newTemplate(hook).request
	var list []string
	add := func(secret string) {
		if len(secret) >= shortSecret {
			list = append(list, secret)
		}
	}
	add(request.URL.RawQuery)
	if user := hook.URL.Reveal().User; user != nil {
		password, _ := user.Password()
		add(user.Username())
		add(password)
	}
	for name, values := range request.Header {
		if name != "Content-Type" && name != "User-Agent" {
			for _, value := range values {
				add(value)
			}
		}
	}
	return list
}

// blot overwrites what the text repeats of what is private to the hook: all of a
// value, or one of its words.
func blot(text []byte, hook *hook.Hook) {
	private := privateOf(hook)
	if len(private) == 0 {
		return
	}
	for _, secret := range private {
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
		if len(word) >= shortSecret && slices.ContainsFunc(private, repeats) {
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

// Shown is the text of an answer, with asterisks where it repeats secrets of the hook.
func Shown(text []byte, hook *hook.Hook) string {
	if len(text) == 0 {
		return ""
	}
	text = bytes.Clone(text)
	if hook != nil {
		blot(text, hook)
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}
