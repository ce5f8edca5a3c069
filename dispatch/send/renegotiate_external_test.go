//go:build external

package send

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestWithOpenSSLCertificateAskedForLate: a server that asks for the client's certificate
// after it has read the request, by a renegotiation of TLS 1.2, is served.
func TestWithOpenSSLCertificateAskedForLate(t *testing.T) {
	client, _ := clientCertificate(t)
	server := secureServer(t, &tls.Config{}) // for its certificate
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	dir := t.TempDir()
	own := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyFile := write(t, dir, "cert.pem", "CERTIFICATE", own.Certificate[0]), write(t, dir, "key.pem", "PRIVATE KEY", key)
	authority := write(t, dir, "client.pem", "CERTIFICATE", client.Certificate[0])
	addr := lateServer(t, cert, keyFile, authority)
	s := newTestSender(t, Options{Timeout: 10 * time.Second, TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}}})
	if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://"+addr+"/")), testMessage); out.Result != Result2xx {
		t.Errorf("outcome %+v", out)
	}
}

func write(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lateServer is an openssl s_server that renegotiates with a demand for a certificate when
// it has read a request, and then answers. Its commands are single letters at the begin of
// a line of its input.
func lateServer(t *testing.T, cert, key, authority string) string {
	t.Helper()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := port.Addr().String()
	port.Close()
	cmd := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", addr, "-tls1_2", "-cert", cert, "-key", key, "-CAfile", authority)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			switch {
			case err != nil:
				return // it has ended
			case strings.HasPrefix(line, "ACCEPT"):
				close(ready)
			case strings.TrimSpace(line) == "": // the end of the request's header
				_, _ = io.WriteString(in, "R\n")
			case strings.HasPrefix(line, "verify return:1"): // the certificate is there
				_, _ = io.WriteString(in, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait() // killed
	})
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		t.Fatal("openssl does not listen")
	}
	return addr
}
