package relay

import (
	"errors"
	"fmt"

	"github.com/hooktail/hooktail/config"
)

// withLog sets the instance's part if there is a log between reader and senders.
func (r *role) withLog(is config.Role) {
	r.senderOnly = !is.Reads()
	if is.Sends() {
		r.sends("starting: no partitions requested yet")
	}
}

// sends records why the instance does not send for now. A standby is ready.
func (r *role) sends(why string) {
	fault := errors.New(why)
	if why == standbySender {
		fault = nil
	}
	r.set(func() { r.sender = func() error { return fault } })
}

// standbySender is the reason of a sender that stands by.
const standbySender = "standby: other senders have all partitions"

// cannotSend records an error after which the instance tries again to send.
func (r *role) cannotSend(err error) {
	fault := fmt.Errorf("not sending, trying again: %w", err)
	r.set(func() { r.sender = func() error { return fault } })
}

// sending records that the instance sends; faults returns an error for stopped partitions.
func (r *role) sending(faults func() error) {
	r.set(func() { r.sender = faults })
}

// sendingFault returns why the instance does not send, nil if it sends or is no sender.
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
