//go:build external

package pagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// axe-core (https://github.com/dequelabs/axe-core, MPL 2.0) is fetched for the test and
// is no part of the program.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==" // as in npm's lock files
)

// axe is the script.
func axe(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("npm", "pack", "--silent", "axe-core@"+axeVersion)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("this test fetches axe-core by npm: %v\n%s", err, out)
	}
	packed, err := os.ReadFile(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(packed); base64.StdEncoding.EncodeToString(sum[:]) != axeIntegrity {
		t.Fatal("this is not the axe-core that the test knows")
	}
	script, err := unpack(packed, "package/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func unpack(packed []byte, name string) (string, error) {
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(plain); ; {
		file, err := files.Next()
		if err != nil {
			return "", errors.Join(fmt.Errorf("look for %s", name), err)
		}
		if file.Name == name {
			text, err := io.ReadAll(files)
			return string(text), err
		}
	}
}

// audit asserts that axe has nothing serious to say of the page as it is shown.
func (b *browser) audit(t *testing.T, where string) {
	t.Helper()
	b.run(`window.audited = ""; axe.run(document, {resultTypes: ["violations"]}).then(
		(r) => { window.audited = JSON.stringify(r.violations.map((v) => ({ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => n.html.slice(0, 200) + " " + n.failureSummary)}))) },
		(fault) => { window.audited = "axe: " + fault })`)
	proctest.WaitFor(t, func() error {
		if b.eval("window.audited") == "" {
			return errors.New("axe has not ended")
		}
		return nil
	})
	var found []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(b.eval("window.audited")), &found); err != nil {
		t.Fatalf("%s: %v: %s", where, err, b.eval("window.audited"))
	}
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			t.Errorf("%s: %s, %s: %s\n%q", where, v.Impact, v.ID, v.Help, v.Nodes)
		} else {
			t.Logf("%s: %s, %s: %s\n%q", where, v.Impact, v.ID, v.Help, v.Nodes)
		}
	}
}

// TestWithChromiumNobodyIsKeptOut: what is shown, in light and dark, on a desk and a
// phone, passes axe, and everything can be reached and left by keyboard.
func TestWithChromiumNobodyIsKeptOut(t *testing.T) {
	script := axe(t)
	s := newScene(t)
	b := startBrowser(t)
	b.size(1280, 900)
	b.run(`window.location.href = "http://` + s.p.Ops + `/"`)
	b.waitText("#role", "leader")
	s.annotate(t, 8)
	b.waitText(row(1)+" td.delivered", "8")
	b.waitText("#stored", "dead")
	b.run(script)
	views := func(where string) {
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			for _, width := range []int64{1280, 390} {
				b.size(width, 900)
				b.audit(t, fmt.Sprintf("%s, %s, %d wide", where, scheme, width))
			}
		}
		b.size(1280, 900)
	}
	views("overview")
	keyboard(t, b)
	views("hook")
	b.click("#login")
	b.audit(t, "log in")
	b.run(fmt.Sprintf(`const f = document.querySelector("#login-form"); f.elements.token.value = %q; f.requestSubmit()`, token))
	b.waitText("#logout", "Log out")
	b.waitText("#hook-acts", "Pause")
	b.wait(`document.querySelectorAll("#recent details").length > 0`, "true")
	b.run(`document.querySelector("#recent details").open = true`)
	b.wait(`document.querySelectorAll(".timeline li").length > 0`, "true")
	views("hook, logged in")
}

// keyboard goes to a hook's page and back without a mouse.
func keyboard(t *testing.T, b *browser) {
	t.Helper()
	b.run(`document.activeElement.blur()`)
	b.press("Tab")
	b.wait(`document.activeElement.className`, "skip")
	b.press("Enter")
	b.wait(`document.activeElement.id`, "main")
	for range 20 {
		b.press("Tab")
		if b.eval(`document.activeElement.getAttribute("href")`) == "#hook=2" && b.eval(`document.activeElement.className`) == "id" {
			break
		}
	}
	if outline := b.eval(`getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
		t.Errorf("what has the focus does not show it: %s", outline)
	}
	b.press("Enter")
	b.waitText("#hook-title", "Hook 2")
	b.wait(`document.activeElement.id`, "hook-title")
	b.press("Shift+Tab")
	b.wait(`document.activeElement.id`, "all-hooks")
	b.press("Enter")
	b.wait(`document.querySelector("#overview").checkVisibility()`, "true")
	b.run(`location.hash = "#hook=2"`)
	b.waitText("#hook-title", "Hook 2")
}
