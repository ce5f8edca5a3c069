package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// askedAddr returns the address at which a hooktail that listens on addr is reached from
// this machine.
func askedAddr(addr string) (string, error) {
	if addr == "" {
		return "", errors.New("a running hooktail cannot be asked: HOOKTAIL_HTTP_ADDR is off")
	}
	host, port, _ := net.SplitHostPort(addr) // config.Load has checked it
	if port == "0" {
		return "", errors.New("a running hooktail cannot be asked: HOOKTAIL_HTTP_ADDR has port 0")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// askWithin bounds the time for an answer.
const askWithin = 5 * time.Second

// Ask requests the report of the hooktail on this machine that listens on
// HOOKTAIL_HTTP_ADDR, without a proxy.
func Ask(ctx context.Context, listens string) (report Report, err error) {
	addr, err := askedAddr(listens)
	if err != nil {
		return report, err
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/status", http.NoBody)
	if err != nil {
		return report, fmt.Errorf("ask %s: %w", addr, err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return report, fmt.Errorf("hooktail is not running on %s (%w)", addr, Cause(err))
	}
	defer answer.Body.Close()
	const most = 64 << 20
	err = json.NewDecoder(io.LimitReader(answer.Body, most)).Decode(&report)
	if err != nil || answer.StatusCode != http.StatusOK || !report.Running {
		return Report{}, fmt.Errorf("another program or version answers on %s (status %d)", addr, answer.StatusCode)
	}
	return report, nil
}

// Cause returns the innermost error, such as the reason of a failed connection, without
// the addresses and calls around it.
func Cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
