package mapping

import "errors"

// errTooMuch says that the rows of a batch are more than may be held at once. The
// weights have them now, so that the next batch is cut between the right events.
var errTooMuch = errors.New("the rows of the batch are more than its bound")

// weights bounds the rows that are read for one batch, in bytes. How large a row is
// shows when it is read; so a batch is cut by what rows of its table were of late, and
// one that turns out too large is not kept: only what its rows weigh.
type weights struct {
	limit   int           // of one batch; 0: there is none
	usual   [tables]int   // bytes of a row, of late
	known   map[rowOf]int // of rows that were read and not kept
	read    []weighed     // the rows of the batch
	bytes   int           // of all of them
	tooMuch bool          // the batch has exceeded the limit: its rows are not kept
}

// rowOf is a row's table and id.
type rowOf struct {
	of table
	id int64
}

type weighed struct {
	rowOf
	bytes int
}

func newWeights(limit int) weights { return weights{limit: limit, known: map[rowOf]int{}} }

// of is what the row can be expected to weigh.
func (w *weights) of(of table, id int64) int {
	if len(w.known) > 0 {
		if n, ok := w.known[rowOf{of, id}]; ok {
			return n
		}
	}
	return w.usual[of]
}

func (w *weights) exceededBy(bytes int) bool { return w.limit > 0 && bytes > w.limit }

// begin begins a batch.
func (w *weights) begin() { w.read, w.bytes, w.tooMuch = w.read[:0], 0, false }

// add weighs a row that has been read, and reports whether it is to be kept: a batch of
// one event keeps all of them.
func (w *weights) add(of table, id int64, bytes int, alone bool) bool {
	w.read = append(w.read, weighed{rowOf{of, id}, bytes})
	w.bytes += bytes
	w.tooMuch = w.tooMuch || !alone && w.exceededBy(w.bytes)
	return !w.tooMuch
}

// compare takes note of a batch that was too large.
func (w *weights) compare() {
	for _, r := range w.read {
		w.known[r.rowOf] = r.bytes
	}
}

// learn takes note of a batch that was kept. The weights of single rows are for those
// that are left of it, if any are.
func (w *weights) learn(last bool) {
	var rows, bytes [tables]int
	for _, r := range w.read {
		rows[r.of]++
		bytes[r.of] += r.bytes
	}
	for of, n := range rows {
		if n > 0 {
			w.usual[of] = max(bytes[of]/n, w.usual[of]*7/8)
		}
	}
	if last {
		clear(w.known)
	}
}
