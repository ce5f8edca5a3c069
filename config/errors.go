package config

import (
	"errors"
	"fmt"
	"strings"
)

// ValueError is a variable whose value is not allowed, or that is not set and
// must be.
type ValueError struct {
	Variable string // with the prefix
	Value    string // empty: not set; ***: not to be shown
	Problem  string // what is wrong with it, as a predicate
	Allowed  string // what is allowed, as a noun; empty: the problem says it
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

// FileError is a file that was to hold a variable's value and cannot be read.
type FileError struct {
	Variable string // with the prefix and _FILE
	Path     string // ***: not to be shown
	Err      error
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: read %s: %v", e.Variable, e.Path, e.Err)
}

// Unwrap is why the file cannot be read.
func (e *FileError) Unwrap() error { return e.Err }

var errEmpty = errors.New("file is empty")

// ConflictError is a variable that is set twice, by itself and by a file.
type ConflictError struct {
	Variable string // with the prefix
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s and %s%s are both set: set one of them", e.Variable, e.Variable, fileSuffix)
}

// UnknownError is a variable that has our prefix and no meaning.
type UnknownError struct {
	Variable string // with the prefix
	Nearest  string // the most similar name that has one
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%s is not a variable of hooktail: did you mean %s?", e.Variable, e.Nearest)
}

// problem is what is wrong with a value, said without the value.
type problem string

func (p problem) Error() string { return string(p) }

// advice is a problem that says itself what to do.
type advice string

func (a advice) Error() string { return string(a) }

// showable is the text, or *** where it looks like a connection string or a
// URL: the secret of one variable that was given to another by mistake.
func showable(text string) string {
	if strings.ContainsAny(text, "@=") || strings.Contains(text, "://") {
		return mask
	}
	return text
}

// Error is a fault of the configuration that is found where a value is used, as that of
// a file that has changed since Load.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }
