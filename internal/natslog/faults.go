package natslog

import "errors"

// errRemoved says that a message was removed that has to be there.
var errRemoved = errors.New("a person or a program has changed the stream; run `hooktail repair`")

// ErrRewound says that the log has lost its end, and has other messages there: it is to be read
// again from the bookmarks.
var ErrRewound = errors.New("the log has lost its end")
