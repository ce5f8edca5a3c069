package relay

import (
	"errors"
	"fmt"

	"github.com/hooktail/hooktail/config"
)

// withLog says that a log is between reader and senders, and which of them the instance is.
func (r *role) withLog(is config.Role) {
	r.senderOnly = !is.Reads()
	if is.Sends() {
		r.sends("starting: no partition has been requested yet")
	}
}

// sends records that the instance does not send for now, and why. A standby is ready.
func (r *role) sends(why string) {
	fault := errors.New(why)
	if why == standbySender {
		fault = nil
	}
	r.set(func() { r.sender = func() error { return fault } })
}

// standbySender is why a sender that is ready does not send.
const standbySender = "standby: other senders have all partitions"

// cannotSend records why the instance does not send for now, trying again.
func (r *role) cannotSend(err error) {
	fault := fmt.Errorf("not sending, trying again: %w", err)
	r.set(func() { r.sender = func() error { return fault } })
}

// sending records that the instance sends; faults says what of it has stopped.
func (r *role) sending(faults func() error) {
	r.set(func() { r.sender = faults })
}

// sendingFault is why the instance does not send, nil if it does or is not to.
func (r *role) sendingFault() error {
	r.mu.Lock()
	sender := r.sender
	r.mu.Unlock()
	if sender == nil {
		return nil
	}
	return sender()
}

// hasLog records how to find out whether the log can be reached.
func (r *role) hasLog(away func() error) {
	r.set(func() { r.away = away })
}

// logFault is why the log cannot be reached, nil if it can or there is none.
func (r *role) logFault() error {
	r.mu.Lock()
	away := r.away
	r.mu.Unlock()
	if away == nil {
		return nil
	}
	return away()
}
