//go:build external

package pagetest

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

var update = flag.Bool("update", false, "make the pictures of docs/images anew")

// images is where the documents have their pictures.
const images = "../../../../docs/images"

// written is the words of what is shown, in order and without numbers: what a picture
// says. Words of what comes and goes by itself are not among them.
const written = `[...document.querySelectorAll("h1, h2, th, dt, button, label, figcaption b, #verdict, .state")]
	.filter((e) => e.checkVisibility() && !e.closest("#recent, #stored tbody, header"))
	.map((e) => (e.localName === "label" ? e.firstChild.textContent : e.innerText).replace(/[0-9][0-9.,:]*/g, "0").replace(/\s+/g, " ").trim()).join("\n")`

// TestWithChromiumThePictures: the pictures in docs/images show the page as it is, on the
// demo with a third receiver that answers 503. With -update it makes them.
func TestWithChromiumThePictures(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(down.Close)
	out := proctest.NewOutput()
	cmd := exec.CommandContext(t.Context(), proctest.Binary(t), "demo", "--receiver", down.URL+"/labelstudio")
	cmd.Env = append(os.Environ(), "HOOKTAIL_HTTP_ADDR=127.0.0.1:0", "HOOKTAIL_ADMIN_TOKEN="+token)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the demo is interrupted, which it says
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // unless it has ended
		<-ended
	})
	page := out.Find(t, `The page is at (http://\S+)`, ended)

	b := startBrowser(t)
	b.size(1280, 860)
	b.run(fmt.Sprintf("window.location.href = %q", page))
	b.waitText("#verdict", "3 failing")
	b.wait("document.querySelector('#charts canvas') !== null", "true")
	b.wait("document.querySelector('.pulse svg') !== null", "true")
	b.wait(`document.querySelectorAll("#recent details").length > 20`, "true")
	if *update { // so that the charts have something to show
		b.run(`const look = () => fetch("/status/series").then((r) => r.json()).then((s) => { window.places = s.times.length; setTimeout(look, 1000) }); look()`)
		b.wait(`window.places >= 7`, "true")
	}
	b.still(t, "page")
	b.run(`location.hash = "#hook=3"`)
	b.waitText("#recent-title", "Deliveries of the last day")
	b.still(t, "hook")
}

// still makes or checks the pictures of that name, in light and dark.
func (b *browser) still(t *testing.T, name string) {
	t.Helper()
	words := filepath.Join(images, name+".txt")
	shown := b.eval(written) + "\n"
	if !*update {
		known, err := os.ReadFile(words)
		if err != nil || string(known) != shown {
			t.Errorf("%s.png shows another page than there is (%v): go test -tags external -run TestWithChromiumThePictures ./cmd/hooktail/internal/pagetest -update\n got %q\nwant %q", name, err, shown, known)
		}
		for _, scheme := range []string{"light", "dark"} {
			if _, err := os.Stat(filepath.Join(images, name+"-"+scheme+".png")); errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
		return
	}
	if err := os.MkdirAll(images, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err == nil {
			err = os.WriteFile(filepath.Join(images, name+"-"+scheme+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(words, []byte(strings.TrimRight(shown, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.scheme("light")
}
