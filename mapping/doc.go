package mapping
type subject struct{}
func (s *subject) bytes() int { return 0 }
