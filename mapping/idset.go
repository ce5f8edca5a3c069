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

// idBits is a set of ids that mostly follow each other: each takes a bit. The zero value
// is empty.
type idBits map[int64]*[blockTasks / 64]uint64

func (s *idBits) add(id int64) {
	if *s == nil {
		*s = idBits{}
	}
	block := (*s)[id>>blockBits]
	if block == nil {
		block = new([blockTasks / 64]uint64)
		(*s)[id>>blockBits] = block
	}
	block[wordOf(id)] |= bitOf(id)
}

// remove reports whether the id was in the set.
func (s idBits) remove(id int64) bool {
	block := s[id>>blockBits]
	if block == nil || block[wordOf(id)]&bitOf(id) == 0 {
		return false
	}
	block[wordOf(id)] &^= bitOf(id)
	return true
}
