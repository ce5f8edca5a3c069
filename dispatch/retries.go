package dispatch

// retries is a heap of deliveries by the time of their next attempt.
type retries []*delivery

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].at.Before(r[j].at) }
func (r retries) Swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// Push implements heap.Interface.
func (r *retries) Push(x any) {
	d := x.(*delivery)
	d.place = len(*r)
	*r = append(*r, d)
}

// Pop implements heap.Interface.
func (r *retries) Pop() any {
	last := len(*r) - 1
	d := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return d
}
