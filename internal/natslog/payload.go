package natslog

import "github.com/hooktail/hooktail/mapping"

// separator separates the members of a payload.
const separator = ", "

// appendPayload appends the event's members in one piece. An event with these as its Payload has the
// same bodies.
func appendPayload(b []byte, e *mapping.Event) []byte {
	members := e.Members()
	b = append(b, members[0]...)
	if len(members[1]) > 0 {
		b = append(append(b, separator...), members[1]...)
	}
	return b
}

// payloadLen returns the length of what appendPayload appends.
func payloadLen(e *mapping.Event) int {
	members := e.Members()
	if len(members[1]) == 0 {
		return len(members[0])
	}
	return len(members[0]) + len(separator) + len(members[1])
}
