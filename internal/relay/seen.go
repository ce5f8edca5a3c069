package relay

import (
	"context"

	"github.com/hooktail/hooktail/cdc"
)

// remembered is for cdc.Options: what is written, and what this process knows besides.
// A database that was put back to an earlier state says of itself that all is well.
func (s *sidecar) remembered(keep *keeper) func(context.Context) (*cdc.Past, error) {
	return func(ctx context.Context) (*cdc.Past, error) {
		past, err := keep.positions.Read(ctx)
		if past != nil {
			past.Seen = s.seen
		}
		return past, err
	}
}

// sees keeps what a term has read for those that follow.
func (s *sidecar) sees(stream *cdc.Stream) {
	if left := stream.Left(); left != nil {
		s.seen = left.Later(s.seen)
	}
}
