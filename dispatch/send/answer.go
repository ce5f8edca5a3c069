package send

import (
	"bytes"
	"io"
)

// read returns the beginning of the answer. It reads the answer to its end, so that the
// connection can be reused, or gives up if the answer is too long, broken or late. Only
// the status of an answer has an effect.
func (e *envelope) read(body io.ReadCloser) []byte {
	defer body.Close()
	if _, ours := body.(io.Writer); ours {
		return nil // the connection itself, after a 101: net/http no longer closes it when the context ends
	}
	n, err := 0, error(nil)
	for n < len(e.answer) && err == nil {
		var more int
		more, err = body.Read(e.answer[n:])
		n += more
	}
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, maxAnswer+1-AnswerBytes)
	}
	return bytes.Clone(e.answer[:n:n])
}
