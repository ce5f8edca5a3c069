package send

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestEarlyAnswerCounts: a receiver that answers before it has read the body, and closes
// the connection, has answered, however large the rest of the body is. Without an answer
// the attempt ends at once.
func TestEarlyAnswerCounts(t *testing.T) {
	plain := secureServer(t, &tls.Config{})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, tt := range []struct {
		name, answer string
		secure       *tls.Config // nil: no TLS
		want         int         // status
	}{
		{"answer", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", nil, 413},
		{"answer over TLS", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", plain.TLS, 413},
		{"no answer", "", nil, 0},
		{"no answer over TLS", "", plain.TLS, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scheme, address := "http://", hasty(t, tt.answer, tt.secure)
			if tt.secure != nil {
				scheme = "https://"
			}
			s := newTestSender(t, Options{Timeout: 20 * time.Second, TLS: &tls.Config{RootCAs: roots}})
			hook := oneHook(t, dispatchtest.HookRow(1, scheme+address+"/h"))
			m := testMessage
			m.Body = mapping.BodyOf(make([]byte, 8<<20)) // more than the sockets buffer
			for range 30 {                               // the order in which net/http notices things is random
				out := s.Send(t.Context(), hook, m)
				if out.Status != tt.want || out.Status == 0 && out.Result != ResultReset {
					t.Fatalf("outcome %+v, want status %d", out, tt.want)
				}
			}
		})
	}
}

// hasty is the address of a receiver that answers when it has read the header, and closes
// the connection.
func hasty(t *testing.T, answer string, secure *tls.Config) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			reader := textproto.NewReader(bufio.NewReader(conn))
			_, _ = reader.ReadLine()
			_, _ = reader.ReadMIMEHeader()
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}
