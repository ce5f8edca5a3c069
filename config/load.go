package config

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Load reads the configuration from the environment, in the form of os.Environ. An empty
// variable counts as unset. If a variable is given twice, the last value counts. The
// value of HOOKTAIL_X may be in a file named by HOOKTAIL_X_FILE. One newline at the end of
// a value is dropped, and a byte order mark at the beginning of a file.
//
// Load reads nothing else, with one exception: DATABASE_URL is parsed by pgx, which
// completes it from PGHOST, PGPASSFILE and similar variables, as libpq does. Parameters
// that are settings of the server or of a driver are errors.
//
// The error joins all errors in the order of the variables, unknown variables last:
// *ValueError and *FileError. They never show a secret or the content of a file.
func Load(environ []string) (Config, error) {
	var (
		c      Config
		env    = newEnvironment(environ)
		faults []error
	)
	for field, value := range reflect.ValueOf(&c).Elem().Fields() {
		v := variable(field)
		text, err := env.find(v)
		if err == nil {
			err = c.set(v, field.Tag.Get("envconfig"), value, text)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, env.unknown(Variables())...)
	if len(faults) > 0 {
		return Config{}, errors.Join(faults...)
	}
	if c.HTTPAddr == off {
		c.HTTPAddr = ""
	}
	return c, nil
}

// set converts the text to the field's type and checks the result.
func (c *Config) set(v Variable, name string, field reflect.Value, t text) error {
	var err error
	switch {
	case isQuoted(t.value):
		err = advice("is in quotation marks: remove them")
	case t.value != "" && strings.TrimSpace(t.value) == "":
		err = advice("is blank: remove the variable, or give it a value")
	case t.value != "":
		err = convert(field, t.value)
	case v.Required:
		err = problem("is not set")
	}
	if secret, ok := field.Addr().Interface().(*Secret); ok && err == nil && t.path != "" {
		secret.path = &t.path
	}
	if err == nil {
		err = checks[name](c)
	}
	if err == nil {
		return nil
	}
	fault := &ValueError{Variable: v.Name, Value: mask, Problem: err.Error(), Allowed: v.Allowed}
	if _, says := errors.AsType[advice](err); says {
		fault.Allowed = ""
	}
	if t.value == "" || !v.Secret && t.path == "" {
		fault.Value = showable(t.value)
	}
	return fault
}

// isQuoted reports whether the text is in quotation marks. A shell removes them; `docker run
// --env-file` and `kubectl create secret --from-env-file` do not, and the value of a secret
// is not shown.
func isQuoted(value string) bool {
	return len(value) > 1 && value[0] == value[len(value)-1] && (value[0] == '"' || value[0] == '\'')
}

// convert lets envconfig turn the text into a value of the field's type.
//
// envconfig itself reads only the environment of the process, also accepts a variable
// without its prefix (TIMEOUT for HOOKTAIL_TIMEOUT), does not read files, stops at the
// first error and shows the value in it. So convert passes it one field at a time, in a
// struct of its own, under a name that cannot be in an environment, with the text as the
// default. This makes Load a function of its argument. Only the kind of an error is used.
// The cost is a type that package reflect never frees, less than 1 KB per text, which is
// nothing for a program that loads once.
func convert(field reflect.Value, text string) error {
	one := reflect.New(reflect.StructOf([]reflect.StructField{{
		Name: "Value",
		Type: field.Type(),
		Tag:  reflect.StructTag(`envconfig:"=" default:` + strconv.Quote(text)),
	}}))
	if err := envconfig.Process("", one.Interface()); err != nil {
		return unreadable(field, text, err)
	}
	field.Set(one.Elem().Field(0))
	return nil
}

// unreadable describes what text that could not be converted should have been. It never
// shows the text, as the errors of parsers do.
func unreadable(field reflect.Value, text string, err error) error {
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		if p, ok := errors.AsType[problem](parse.Err); ok {
			return p
		}
	}
	switch field.Interface().(type) {
	case time.Duration:
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return advice("needs a unit, for example 2s or 500ms")
		}
		return problem("is not a duration")
	case int:
		return problem("is not a whole number")
	default:
		return problem("is invalid")
	}
}
