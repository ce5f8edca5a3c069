package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// fileSuffix marks a variable that names the file with another variable's value.
const fileSuffix = "_FILE"

// environment holds the variables with our prefix.
type environment map[string]string

// text is the unconverted value of a variable.
type text struct {
	value string
	path  string // file from which it was read; empty: none
}

func newEnvironment(environ []string) environment {
	env := make(environment)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix) {
			env[name] = value
		}
	}
	return env
}

// find returns the variable's own text, that of its file, or the default.
func (env environment) find(v Variable) (text, error) {
	value, path := withoutNewline(env[v.Name]), env[v.Name+fileSuffix]
	switch {
	case value != "" && path != "":
		return text{}, &ValueError{Variable: v.Name, Problem: "and " + v.Name + fileSuffix + " are both set: set one of them"}
	case value != "":
		return text{value: value}, nil
	case path != "":
		return readFile(v.Name+fileSuffix, path)
	default:
		return text{value: v.Default}, nil
	}
}

// withoutNewline returns the text without the final newline that editors and echo add: a
// Secret of Kubernetes passes it on, as a variable or as a file.
func withoutNewline(value string) string {
	return strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
}

// byteOrderMark begins files that some editors on Windows write.
const byteOrderMark = "\ufeff"

// readFile returns the content of a file, without what editors add to it.
func readFile(variable, path string) (text, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathError.Err // only FileError may show the path
		}
		return text{}, &FileError{Variable: variable, Path: showable(path), Err: err}
	}
	value := withoutNewline(strings.TrimPrefix(string(content), byteOrderMark))
	if value == "" {
		return text{}, &FileError{Variable: variable, Path: showable(path), Err: errEmpty}
	}
	return text{value: value, path: path}, nil
}

// unknown returns an error for each variable that has our prefix and is not known.
func (env environment) unknown(known []Variable) []error {
	var names []string
	for _, v := range known {
		names = append(names, v.Name, v.Name+fileSuffix)
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(names, name) && !serviceLink.MatchString(name+"="+env[name]) {
			remedy := "see `hooktail help environment`"
			if near := nearest(name, names); near != "" {
				remedy = "did you mean " + near + "?"
			}
			faults = append(faults, &ValueError{Variable: name, Problem: "is not a variable of hooktail: " + remedy})
		}
	}
	return faults
}

// nearest returns the name that name misspells or abbreviates, in whatever case, or "".
func nearest(name string, names []string) string {
	name = strings.ToUpper(name)
	distance := func(other string) int {
		if len(name) > len(Prefix) && strings.HasPrefix(other, name) {
			return 0
		}
		return levenshtein.Distance(name, other, nil)
	}
	found := slices.MinFunc(names, func(a, b string) int { return distance(a) - distance(b) })
	if distance(found) > max(2, (len(name)-len(Prefix))/3) {
		return ""
	}
	return found
}

// serviceLink matches the variables that Kubernetes gives every container for a Service
// whose name begins with hooktail. HOOKTAIL_HTTP_PORT=8484 is not one of them but a
// mistake to report; only the value distinguishes the two.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`^HOOKTAIL_([A-Z0-9_]+_)?(` +
	`SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|` +
	`PORT=(tcp|udp|sctp)://|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)`)
