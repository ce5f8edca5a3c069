package relay

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

// PingBody has the form of a request without payload, which receivers of Label Studio's
// webhooks know. They distinguish actions by their names.
const PingBody = `{"action": "` + ping + `"}`

const ping = "PING"

// Ping sends one request in the same way as an event, and returns the exchange.
func Ping(ctx context.Context, sender *send.Sender, hook *hook.Hook) send.Exchange {
	return sender.Exchange(ctx, hook, send.Message{
		ID: "ping-" + rand.Text(), LSN: "0/0", Committed: time.Now().UTC().Format(time.RFC3339Nano), Attempt: 1,
		Body: mapping.BodyOf([]byte(PingBody)), Action: ping,
	})
}
