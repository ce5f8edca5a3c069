package dispatch

// Retry has the hook tried at once, whatever it waits for.
func (d *Dispatcher) Retry(hook int64) {
	d.mu.Lock()
	l := d.lanes[hook]
	d.mu.Unlock()
	if l != nil {
		l.changed()
	}
}
