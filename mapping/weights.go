package mapping

import "errors"

// errTooMuch states that the rows of a batch exceed its bound. The weights now contain
// their sizes, so that the next batch is split correctly.
var errTooMuch = errors.New("the rows of the batch are more than its bound")

// weights bounds the bytes of rows read for one batch. A row's size is only known after
// it is read, so a batch is sized by recent rows of the table; if it turns out too large,
// only the sizes of its rows are kept.
type weights struct {
	limit   int           // bound of one batch; 0: none
	usual   [tables]int   // recent bytes per row
	known   map[rowOf]int // sizes of rows that were read and not kept
	read    []weighed     // the rows of the batch
	bytes   int           // total bytes
	tooMuch bool          // the batch exceeds the limit: its rows are not kept
}

type rowOf struct {
	of table
	id int64
}

type weighed struct {
	rowOf
	bytes int
}

func (w *weights) of(of table, id int64) int {
	if len(w.known) > 0 {
		if n, ok := w.known[rowOf{of, id}]; ok {
			return n
		}
	}
	return w.usual[of]
}

func (w *weights) exceededBy(bytes int) bool { return w.limit > 0 && bytes > w.limit }

// add records the size of a row, and reports whether to keep it: a batch of one event
// keeps all of them.
func (w *weights) add(of table, id int64, bytes int, alone bool) bool {
	w.read = append(w.read, weighed{rowOf{of, id}, bytes})
	w.bytes += bytes
	w.tooMuch = w.tooMuch || !alone && w.exceededBy(w.bytes)
	return !w.tooMuch
}

// compare records a batch that was too large.
func (w *weights) compare() {
	for _, r := range w.read {
		w.known[r.rowOf] = r.bytes
	}
}

// learn records a batch that was kept. Known sizes remain for the rest of a split batch,
// unless this was the last.
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
