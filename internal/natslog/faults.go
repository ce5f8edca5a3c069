package natslog

import "errors"

// errRemoved reports that a required message was removed.
var errRemoved = errors.New("somebody has changed the stream: run `hooktail repair`")

// ErrRewound reports that the log has lost its end and has other messages there. The caller
// reads it again from the bookmarks.
var ErrRewound = errors.New("the log has lost its end")
