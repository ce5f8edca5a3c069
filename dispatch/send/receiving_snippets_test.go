//go:build external

package send

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// signedRequest is a case for the snippets: what a receiver has.
type signedRequest struct {
	Name    string
	Secret  string
	Headers map[string]string // names in lower case
	Body    []byte            // in base64 as JSON
	right   bool
}

// snippet is a verification in one language, and the program that asks it: JSON of
// the cases on standard input, JSON of the verdicts on standard output.
type snippet struct {
	language, file    string
	command           []string
	install           string
	harness, asksWith string
}

// TestWithPythonAndNodeReceivingSnippets runs the snippets of docs/receiving.md on requests of a
// Sender, and on those that somebody else made of them.
func TestWithPythonAndNodeReceivingSnippets(t *testing.T) {
	doc := readDoc(t)
	cases := signedRequests(t)
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []snippet{
		{"go", "receiving/verify.go", []string{"go", "run", "."}, "https://go.dev/dl", "main.go", goHarness},
		{"python", "receiving.py", []string{"python3", "main.py"}, "apt-get install python3, or https://www.python.org", "main.py", pythonHarness},
		{"javascript", "receiving.mjs", []string{"node", "main.mjs"}, "apt-get install nodejs, or https://nodejs.org", "main.mjs", javascriptHarness},
	} {
		t.Run(s.language, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{s.file: codeBlock(t, doc, s.language), s.harness: s.asksWith, "go.mod": "module receiver\n\ngo 1.22\n"})
			program, err := exec.LookPath(s.command[0])
			if err != nil {
				t.Fatalf("this test runs the %s of %s: %s is not installed (%s)", s.language, receivingDoc, s.command[0], s.install)
			}
			cmd := exec.Command(program, s.command[1:]...)
			cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(string(input)), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
			output, err := cmd.Output()
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				t.Fatalf("%v: %v\n%s", s.command, err, exit.Stderr)
			} else if err != nil {
				t.Fatalf("%v: %v", s.command, err)
			}
			var verdicts []bool
			if err := json.Unmarshal(output, &verdicts); err != nil || len(verdicts) != len(cases) {
				t.Fatalf("%d verdicts on %d cases: %v\n%s", len(verdicts), len(cases), err, output)
			}
			for i, c := range cases {
				if verdicts[i] != c.right {
					t.Errorf("%s: taken for right: %t, want %t", c.Name, verdicts[i], c.right)
				}
			}
		})
	}
}

// signedRequests is what arrives of a Sender, and variations of it.
func signedRequests(t *testing.T) []signedRequest {
	t.Helper()
	receiver := dispatchtest.Receiver(t)
	current, former, other := NewSigningKey(), mustSigningKey(t, specimen), NewSigningKey()
	keys := []SigningKey{current, former}
	s := newTestSender(t, Options{Secrets: func(int64) ([]SigningKey, error) { return keys, nil }})
	m := testMessage
	m.Body = mapping.BodyOf([]byte("{\"action\": \"X\", \"text\": \"Jürgen ✓\", \"n\": 1.50}\n"))
	if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h")), m); out.Result != Result2xx {
		t.Fatalf("outcome %+v", out)
	}
	got := receiver.Wait(t, "/h", 1)[0]
	headers := make(map[string]string)
	for name := range got.Header {
		headers[strings.ToLower(name)] = got.Header.Get(name)
	}
	good := signedRequest{Name: "current secret", Secret: current.Reveal(), Headers: headers, Body: got.Body, right: true}
	if string(got.Body) != string(m.Body.Bytes()) {
		t.Fatalf("body %q", got.Body)
	}

	vary := func(name string, right bool, change func(*signedRequest)) signedRequest {
		c := good
		c.Name, c.right, c.Headers = name, right, maps.Clone(headers)
		change(&c)
		return c
	}
	header := func(name, value string) func(*signedRequest) {
		return func(c *signedRequest) { c.Headers[name] = value }
	}
	without := func(name string) func(*signedRequest) {
		return func(c *signedRequest) { delete(c.Headers, name) }
	}
	signedAt := func(at time.Duration) func(*signedRequest) {
		return func(c *signedRequest) {
			timestamp := strconv.FormatInt(time.Now().Add(at).Unix(), 10)
			c.Headers["webhook-timestamp"] = timestamp
			c.Headers["webhook-signature"] = Sign(keys, m.ID, timestamp, m.Body)
		}
	}
	signature := headers["webhook-signature"]
	first, second, _ := strings.Cut(signature, " ")
	return []signedRequest{
		good,
		vary("former secret", true, func(c *signedRequest) { c.Secret = former.Reveal() }),
		vary("one signature", true, header("webhook-signature", first)),
		vary("of another version before", true, header("webhook-signature", "v1a,AAAA v2,AAAA "+signature)),
		vary("four minutes ago", true, signedAt(-4*time.Minute)),
		vary("in four minutes", true, signedAt(4*time.Minute)),

		vary("secret of another hook", false, func(c *signedRequest) { c.Secret = other.Reveal() }),
		vary("signature of the other secret alone", false, header("webhook-signature", second)),
		vary("another body", false, func(c *signedRequest) { c.Body = append(slices.Clone(c.Body), ' ') }),
		vary("no body", false, func(c *signedRequest) { c.Body = nil }),
		vary("another id", false, header("webhook-id", "1-16B374D848-8")),
		vary("another timestamp", false, header("webhook-timestamp", strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10))),
		vary("six minutes ago", false, signedAt(-6*time.Minute)),
		vary("in six minutes", false, signedAt(6*time.Minute)),
		vary("no id", false, without("webhook-id")),
		vary("no timestamp", false, without("webhook-timestamp")),
		vary("no signature", false, without("webhook-signature")),
		vary("timestamp in words", false, header("webhook-timestamp", "now")),
		vary("signature of another version", false, header("webhook-signature", strings.ReplaceAll(signature, "v1,", "v1a,"))),
		vary("signature without a version", false, header("webhook-signature", strings.ReplaceAll(signature, "v1,", ""))),
		vary("signature cut off", false, header("webhook-signature", first[:len(first)-5])),
		vary("empty signature", false, header("webhook-signature", "v1, v1,")),
		vary("not base64", false, header("webhook-signature", "v1,ü v1,!!!! ,,, v1")),
	}
}

// codeBlock is the one block of code in the language.
func codeBlock(t *testing.T, doc, language string) string {
	t.Helper()
	blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of %s in %s", len(blocks), language, receivingDoc)
	}
	return blocks[0][1]
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const goHarness = `package main

import (
	"encoding/json"
	"net/http"
	"os"

	"receiver/receiving"
)

func main() {
	var cases []struct {
		Secret  string
		Headers map[string]string
		Body    []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	verdicts := []bool{}
	for _, c := range cases {
		header := http.Header{}
		for name, value := range c.Headers {
			header.Set(name, value)
		}
		verdicts = append(verdicts, receiving.Verify(c.Secret, header, c.Body) == nil)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		panic(err)
	}
}
`

const pythonHarness = `import base64, json, sys
from receiving import verify

def right(case):
    try:
        verify(case["Secret"], case["Headers"], base64.b64decode(case["Body"] or ""))
        return True
    except ValueError:
        return False

print(json.dumps([right(case) for case in json.load(sys.stdin)]))
`

const javascriptHarness = `import { readFileSync } from "node:fs";
import { verify } from "./receiving.mjs";

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map((c) => {
  try {
    verify(c.Secret, c.Headers, Buffer.from(c.Body ?? "", "base64"));
    return true;
  } catch (error) {
    if (error.constructor !== Error) {
      throw error;
    }
    return false;
  }
})));
`
