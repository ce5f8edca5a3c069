package mapping

// idSet collects ids, each once, in the order of their first appearance.
type idSet struct {
	ids  []int64
	seen map[int64]struct{}
}

func (s *idSet) add(id int64) {
	if _, ok := s.seen[id]; ok || id == 0 {
		return
	}
	if s.seen == nil {
		s.seen = make(map[int64]struct{})
	}
	s.seen[id] = struct{}{}
	s.ids = append(s.ids, id)
}

func (s *idSet) reset() {
	s.ids = s.ids[:0]
	clear(s.seen)
}

func (s *idSet) cut(n int) {
	for _, id := range s.ids[n:] {
		delete(s.seen, id)
	}
	s.ids = s.ids[:n]
}
