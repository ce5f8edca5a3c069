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

// fileSuffix marks the variable that names the file of another one's value.
const fileSuffix = "_FILE"

// environment is what the environment says under our prefix.
type environment map[string]string

// text is the value of a variable before it is converted.
type text struct {
	value string
	path  string // of the file that it is from; "": it is from none
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

// find is the text of the variable: its own, that of its file, or the default.
func (env environment) find(v Variable) (text, error) {
	value, path := env[v.Name], env[v.Name+fileSuffix]
	switch {
	case value != "" && path != "":
		return text{}, &ConflictError{Variable: v.Name}
	case value != "":
		return text{value: value}, nil
	case path != "":
		return readFile(v.Name+fileSuffix, path)
	default:
		return text{value: v.Default}, nil
	}
}

// readFile is the text of a file without the newline that editors end it with.
func readFile(variable, path string) (text, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathError.Err // the path is shown by FileError, if at all
		}
		return text{}, &FileError{Variable: variable, Path: showable(path), Err: err}
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if value == "" {
		return text{}, &FileError{Variable: variable, Path: showable(path), Err: errEmpty}
	}
	return text{value: value, path: path}, nil
}

// unknown is a fault for each variable that has our prefix and no meaning.
func (env environment) unknown(known []Variable) []error {
	var names []string
	for _, v := range known {
		names = append(names, v.Name, v.Name+fileSuffix)
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(names, name) && !serviceLink.MatchString(name+"="+env[name]) {
			faults = append(faults, &UnknownError{Variable: name, Nearest: nearest(name, names)})
		}
	}
	return faults
}

// nearest is the name that takes the fewest edits to get to.
func nearest(name string, names []string) string {
	name = strings.ToUpper(name)
	return slices.MinFunc(names, func(a, b string) int {
		return levenshtein.Distance(name, a, nil) - levenshtein.Distance(name, b, nil)
	})
}

// serviceLink matches the variables that Kubernetes gives every container for
// a Service whose name begins with hooktail. HOOKTAIL_HTTP_PORT=8484 is not one
// of them but a mistake to be named: only the value tells the two apart.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`^HOOKTAIL_([A-Z0-9_]+_)?(` +
	`SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|` +
	`PORT=(tcp|udp|sctp)://|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=)`)
