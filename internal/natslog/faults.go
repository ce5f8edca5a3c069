package natslog

import "errors"

// ErrRewound reports that the log has lost its end and has other messages there. The caller
// reads it again from the bookmarks.
var ErrRewound = errors.New("the log has lost its end")
