package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
)

// healthcheckPatience bounds the request: a container runtime waits for the command.
const healthcheckPatience = 5 * time.Second

func (a *app) healthcheckCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Check whether the hooktail on this machine is ready",
		Long: "healthcheck requests /readyz on HOOKTAIL_HTTP_ADDR. It exits with 0 if hooktail is ready, else with 1 and the\n" +
			"reason. It is the health check of images without a shell.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				cfg, err := a.config()
				if err != nil {
					return err
				}
				if url, err = readyURL(cfg.HTTPAddr); err != nil {
					return err
				}
			}
			return healthcheck(cmd.Context(), a.stdout, url)
		},
	}
	cmd.Flags().Var(urlInto(&url), "url", "request this `URL` instead; needs no variables")
	return cmd
}

// readyURL returns the URL of /readyz for a listening address, with the loopback address
// in place of an unspecified one.
func readyURL(addr string) (string, error) {
	if addr == "" {
		return "", usageError{errors.New("HOOKTAIL_HTTP_ADDR is off: there is nothing to check")}
	}
	host, port, _ := net.SplitHostPort(addr) // config.Load has checked it
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // not a name: a minimal image may be unable to resolve localhost
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

func healthcheck(ctx context.Context, out io.Writer, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request %s: %w", url, err)
	}
	// Not the default transport, which uses proxies set in the environment.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("request %s: %w", url, status.Cause(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	said := display.Excerpt(strings.TrimSpace(string(text)), 500) // another program may answer
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s (%s)", said, response.Status)
	}
	fmt.Fprintln(out, said)
	return nil
}
