package send

import (
	"bytes"
	"io"
)

// read returns how the answer begins, and reads it to its end, so that the connection can
// be used again, or gives it up: when it is too long, broken, or not there in time. What
// the receiver says besides its status decides nothing.
func (e *envelope) read(body io.ReadCloser) []byte {
	defer body.Close()
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
