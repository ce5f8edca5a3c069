package config

import (
	"errors"
	"fmt"
	"strings"
)

// ValueError is a variable with an invalid value, a required variable that is not set, one
// that is set twice, or one that does not exist.
type ValueError struct {
	Variable string // with the prefix
	Value    string // empty: not set, or irrelevant; ***: hidden
	Problem  string // what is wrong, as a predicate
	Allowed  string // accepted values, as a noun phrase; empty: Problem includes the remedy
}

func (e *ValueError) Error() string {
	value := ""
	switch e.Value {
	case "":
	case mask:
		value = "=" + mask
	default:
		value = fmt.Sprintf("=%q", e.Value)
	}
	text := fmt.Sprintf("%s%s %s", e.Variable, value, e.Problem)
	if e.Allowed != "" {
		text += ": use " + e.Allowed
	}
	return text
}

// FileError is a variable's file that cannot be read.
type FileError struct {
	Variable string // with the prefix and _FILE
	Path     string // ***: hidden
	Err      error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: read %s: %v", e.Variable, e.Path, e.Err)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

var errEmpty = errors.New("file is empty")

// problem describes what is wrong with a value, without showing it.
type problem string

func (p problem) Error() string { return string(p) }

// advice is a problem that includes the remedy.
type advice string

func (a advice) Error() string { return string(a) }

// showable returns the text, or *** if it looks like a connection string or a URL: a
// secret may have been given to the wrong variable.
func showable(text string) string {
	if strings.ContainsAny(text, "@=") || strings.Contains(text, "://") {
		return mask
	}
	return text
}

// Error is a configuration error found when a value is used, for example in a file that
// has changed since Load.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
