package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
)

// Printer prints each request that arrives. It is safe for concurrent use.
type Printer struct {
	Out    io.Writer
	Bodies bool // also print headers and bodies, including credentials
	JSON   bool // print a JSON object per line instead of text

	mu sync.Mutex // guards Out
}

// Run serves requests on the address until the context ends.
func (p *Printer) Run(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: choose another address with --addr", addr, status.Cause(err))
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // open requests are cut
	if !p.JSON {
		fmt.Fprintf(p.Out, "receiving on http://%s\n", l.Addr())
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// ServeHTTP prints a webhook. It answers GET and HEAD with ok, for health checks.
func (p *Printer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
		return
	}
	a, err := Read(w, req)
	what := display.Printable(fmt.Sprintf("%-20s %-42s %8s  %s", a.Payload.Action, a.Payload.About(), a.Since(), a.ID))
	if err != nil {
		what = "not a webhook: " + err.Error()
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.JSON {
		p.printLine(req, &a, err)
		return
	}
	fmt.Fprintf(p.Out, "%s  %-22q %-16q %s\n", a.At.Format("15:04:05.000"), a.Sender, req.URL.Path, what)
	if p.Bodies {
		p.show(req.Header, a.Body)
	}
}

// received is a request in JSON.
type received struct {
	At      time.Time       `json:"at"`
	Sender  string          `json:"sender"`
	Path    string          `json:"path"`
	ID      string          `json:"webhook_id,omitempty"`
	Action  string          `json:"action,omitempty"`
	Latency *float64        `json:"commit_to_delivery_seconds,omitempty"`
	Error   string          `json:"error,omitempty"` // why the request is not a webhook
	Headers http.Header     `json:"headers,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// printLine prints the request in JSON. The caller holds mu.
func (p *Printer) printLine(req *http.Request, a *Arrival, fault error) {
	line := received{At: a.At.UTC(), Sender: a.Sender, Path: req.URL.Path, ID: a.ID, Action: a.Payload.Action}
	if a.Committed {
		line.Latency = new(a.Latency.Seconds())
	}
	if fault != nil {
		line.Error = fault.Error()
	}
	if p.Bodies {
		line.Headers = req.Header
		if json.Valid(a.Body) {
			line.Body = a.Body
		}
	}
	_ = json.NewEncoder(p.Out).Encode(line) // ignored: a closed output has no reader
}

// show prints headers and body. The caller holds mu.
func (p *Printer) show(header http.Header, body []byte) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(&b, "    %s: %q\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "    ", "  "); err == nil {
		fmt.Fprintf(&b, "    %s\n", pretty.Bytes())
	} else {
		fmt.Fprintf(&b, "    %q\n", body)
	}
	fmt.Fprintf(p.Out, "%s\n", b.String())
}
