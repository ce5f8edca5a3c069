package dispatch

// fifo is a queue of items.
type fifo struct {
	items []*item
	from  int
}

func (q *fifo) push(it *item) {
	if q.from > 64 && q.from > len(q.items)/2 {
		n := copy(q.items, q.items[q.from:])
		clear(q.items[n:])
		q.items, q.from = q.items[:n], 0
	}
	q.items = append(q.items, it)
}

func (q *fifo) len() int { return len(q.items) - q.from }

// waiting returns the queue; some of its items may have been handed out.
func (q *fifo) waiting() []*item { return q.items[q.from:] }

// trim removes items from the front that are no longer ready.
func (q *fifo) trim() {
	for q.from < len(q.items) && q.items[q.from].state != ready {
		q.pop()
	}
}

func (q *fifo) pop() *item {
	if q.from == len(q.items) {
		return nil
	}
	it := q.items[q.from]
	q.items[q.from] = nil
	q.from++
	if q.from == len(q.items) {
		q.items, q.from = q.items[:0], 0
	}
	return it
}
