package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/status"
)

func (a *app) receiverCommand() *cobra.Command {
	var addr string
	var bodies, asJSON bool
	cmd := &cobra.Command{
		Use:   "receiver",
		Short: "Receive webhooks and print them, to try things out",
		Long: "receiver accepts requests on any path and prints a line for each: time, sender, path, action, what it is\n" +
			"about, time since the commit, and webhook-id. It answers 200 to a webhook and 400 to anything else.\n" +
			"It keeps nothing, and needs no database and no variables.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return (&receiver{out: a.stdout, bodies: bodies, asJSON: asJSON}).run(cmd.Context(), addr)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8000", "listen on this `address`")
	cmd.Flags().BoolVar(&bodies, "bodies", false, "print headers and bodies as well, credentials included")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object per line")
	return cmd
}

// receiver prints what arrives.
type receiver struct {
	bodies, asJSON bool

	mu  sync.Mutex
	out io.Writer
}

// run takes requests until the context ends.
func (r *receiver) run(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: choose another address with --addr", addr, status.Cause(err))
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })() // nothing of it is kept
	if !r.asJSON {
		fmt.Fprintf(r.out, "receiving on http://%s\n", l.Addr())
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// ServeHTTP prints a webhook and says ok to whoever asks whether it is there.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok")
		return
	}
	a, err := readArrival(w, req)
	what := fmt.Sprintf("%-20s %-42s %8s  %s", a.parsed.Action, a.parsed.about(), a.since(), a.id)
	if err != nil {
		what = "not a webhook: " + err.Error()
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asJSON {
		r.printLine(req, &a, err)
		return
	}
	fmt.Fprintf(r.out, "%s  %-22q %-16q %s\n", a.at.Format("15:04:05.000"), a.sender, req.URL.Path, what)
	if r.bodies {
		r.show(req.Header, a.body)
	}
}

// received is a request as --json prints it.
type received struct {
	At      time.Time       `json:"at"`
	Sender  string          `json:"sender"`
	Path    string          `json:"path"`
	ID      string          `json:"webhook_id,omitempty"`
	Action  string          `json:"action,omitempty"`
	Latency *float64        `json:"commit_to_delivery_seconds,omitempty"`
	Error   string          `json:"error,omitempty"` // why it is no webhook
	Headers http.Header     `json:"headers,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// printLine prints the request for machines; the lock is held.
func (r *receiver) printLine(req *http.Request, a *arrival, fault error) {
	line := received{At: a.at.UTC(), Sender: a.sender, Path: req.URL.Path, ID: a.id, Action: a.parsed.Action}
	if a.committed {
		line.Latency = new(a.latency.Seconds())
	}
	if fault != nil {
		line.Error = fault.Error()
	}
	if r.bodies {
		line.Headers = req.Header
		if json.Valid(a.body) {
			line.Body = a.body
		}
	}
	_ = json.NewEncoder(r.out).Encode(line) // where the output is closed nobody reads it
}

// show prints headers and body; the lock is held.
func (r *receiver) show(header http.Header, body []byte) {
	var b strings.Builder
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
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
	fmt.Fprintf(r.out, "%s\n", b.String())
}
