package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/relay"
)

// obeyed lists the variables of the user's environment that apply to the demo. The
// others concern the user's own database and receivers.
var obeyed = []string{
	"HOOKTAIL_HTTP_ADDR", "HOOKTAIL_HTTP_HOSTS", "HOOKTAIL_ADMIN_TOKEN", "HOOKTAIL_LOG_LEVEL", "HOOKTAIL_LOG_FORMAT",
	"HOOKTAIL_SETTLE", "HOOKTAIL_MEMORY", "HOOKTAIL_TLS_CA", "HOOKTAIL_TLS_CERT", "HOOKTAIL_TLS_KEY",
}

// sidecar is the demo's running program. It runs until stop.
type sidecar struct {
	cfg      config.Config
	registry *prometheus.Registry
	ops      string // address of the page, or "off"
	cancel   context.CancelFunc
	ended    chan struct{}
	result   error // set before ended is closed
}

var errEnded = errors.New("hooktail has ended before the demo")

// start sets the database up and starts the sidecar. The log is shown only if the user
// sets HOOKTAIL_LOG_LEVEL or the demo fails: an unreachable receiver is part of the show.
func (d *demo) start(ctx context.Context) (*sidecar, error) {
	cfg, err := d.configuration()
	if err != nil {
		return nil, err
	}
	log := d.Err
	if !slices.ContainsFunc(d.Environ, func(e string) bool {
		return strings.HasPrefix(e, "HOOKTAIL_LOG_LEVEL=") || strings.HasPrefix(e, "HOOKTAIL_LOG_LEVEL_FILE=")
	}) {
		d.log = &tailBuffer{}
		log = d.log
	}
	cfg.HTTPAddr = freeAddr(ctx, cfg.HTTPAddr)
	s := &sidecar{cfg: cfg, registry: prometheus.NewRegistry(), ended: make(chan struct{})}
	started := make(chan string, 1)
	options := relay.Options{
		Config: cfg, Log: d.Log(cfg, log), Version: d.Version, Setup: true, Tuning: d.Tuning, Registry: s.registry,
		Started: func(addr string) { started <- addr },
	}
	var run context.Context
	run, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.ended)
		s.result = relay.Run(run, options)
	}()
	select {
	case s.ops = <-started:
		return s, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	case <-s.ended:
		s.cancel()
		return nil, s.result
	}
}

func (s *sidecar) stop() error {
	s.cancel()
	<-s.ended
	return s.result
}

func (d *demo) configuration() (config.Config, error) {
	environ := []string{"HOOKTAIL_GRACE=2s", "HOOKTAIL_DATABASE_URL=" + d.server.DSN(databaseName)}
	for _, e := range d.Environ {
		name, _, _ := strings.Cut(e, "=")
		if slices.Contains(obeyed, strings.TrimSuffix(name, "_FILE")) {
			environ = append(environ, e)
		}
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return cfg, &config.Error{Err: fmt.Errorf("configuration:\n%w", err)}
	}
	return cfg, nil
}

// freeAddr returns the address if it is free, else a free port: a hooktail may be running
// on this machine already.
func freeAddr(ctx context.Context, addr string) string {
	if addr == "" {
		return addr
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // the address was only probed
	return addr
}

// metric returns the sum of the hook's samples of that name and, if given, that outcome.
func (s *sidecar) metric(name string, hook int, labels map[string]string) (int, error) {
	families, err := s.registry.Gather()
	if err != nil {
		return 0, fmt.Errorf("gather metrics: %w", err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if has(m, "hook", strconv.Itoa(hook)) && (len(labels) == 0 || has(m, "outcome", labels["outcome"])) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return int(sum), nil
}

func has(m *dto.Metric, name, value string) bool {
	return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value })
}

// tailBuffer keeps the last keptLog bytes written to it. It is safe for concurrent use.
type tailBuffer struct {
	mu   sync.Mutex
	text []byte
}

// keptLog is the size of a tailBuffer, in bytes.
const keptLog = 16 << 10

func (b *tailBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if over := len(b.text) - keptLog; over > 0 {
		b.text = append(b.text[:0], b.text[over:]...)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}
