package dispatch

type fifo struct {
	deliveries []*delivery
	from       int
}

func (q *fifo) push(d *delivery) {
	if q.from > 64 && q.from > len(q.deliveries)/2 {
		n := copy(q.deliveries, q.deliveries[q.from:])
		clear(q.deliveries[n:])
		q.deliveries, q.from = q.deliveries[:n], 0
	}
	q.deliveries = append(q.deliveries, d)
}

func (q *fifo) len() int { return len(q.deliveries) - q.from }

// waiting returns the queue; some of its deliveries may have been handed out.
func (q *fifo) waiting() []*delivery { return q.deliveries[q.from:] }

// trim removes deliveries from the front that are no longer ready.
func (q *fifo) trim() {
	for q.from < len(q.deliveries) && q.deliveries[q.from].state != ready {
		q.pop()
	}
}

func (q *fifo) pop() *delivery {
	if q.from == len(q.deliveries) {
		return nil
	}
	d := q.deliveries[q.from]
	q.deliveries[q.from] = nil
	q.from++
	if q.from == len(q.deliveries) {
		q.deliveries, q.from = q.deliveries[:0], 0
	}
	return d
}
