package config

import (
	"errors"
	"reflect"
	"strconv"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Load makes the configuration from the environment, in the form of
// os.Environ. An empty variable counts as one that is not set; of two with the
// same name the last counts. The text of HOOKTAIL_X may come from the file that
// HOOKTAIL_X_FILE names, less one newline at its end.
//
// Load reads nothing else, with one exception: DATABASE_URL is parsed by pgx,
// which completes it from PGHOST, PGPASSFILE and their like, as libpq does. A
// parameter in it that is a setting of the server or of a driver is a fault.
//
// The error joins all faults, in the order of the variables, the unknown ones
// last: *ValueError, *FileError, *ConflictError and *UnknownError. None of them
// shows a secret, or text that came from a file.
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
	case t.value != "":
		err = convert(field, t.value)
	case v.Required:
		err = problem("is not set")
	}
	if secret, ok := field.Addr().Interface().(*Secret); ok && err == nil && t.path != "" {
		secret.path = &t.path
	}
	if err == nil {
		err = c.check(name)
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

// convert lets envconfig turn the text into a value of the field's type.
//
// envconfig by itself reads the environment of the process and no other, takes
// a variable without its prefix as well (TIMEOUT for HOOKTAIL_TIMEOUT), knows
// no files, stops at the first fault, and shows the value in it. So it gets
// each field as a struct of its own, under a name that no environment can hold,
// with the text as the default. That makes Load a function of its argument; of
// an error only the kind is taken. The price is a type that package reflect
// keeps for good, under 1 KB per text: nothing for a program that loads once.
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

// unreadable says what text that could not be converted should have been. It
// never repeats the text: what parsers say does.
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
	case bool:
		return problem("is invalid")
	case int:
		return problem("is not a whole number")
	default:
		return problem("is invalid")
	}
}
