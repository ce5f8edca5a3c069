package mapping

// strays counts rows without an event because their project or its organization is
// unknown, and logs the first one of each table.
type strays struct {
	opts             Options
	told, unnumbered [tables]bool
}

// isFirst counts a row of the table, and reports whether none was told before.
func (s *strays) isFirst(t table, told *[tables]bool) bool {
	s.opts.Metrics.unroutable[t].Inc()
	first := !told[t]
	told[t] = true
	return first
}

// noID counts a row of the table whose id is not a 64-bit integer.
func (s *strays) noID(t table) {
	if s.isFirst(t, &s.unnumbered) {
		s.opts.Log.Error("rows without an integer id make no events", "table", s.opts.Tables.quoted(s.opts.Tables.name(t)))
	}
}

// count counts a row of the table. deleted states that a deleted row does not contain its
// project, which can be fixed.
func (s *strays) count(t table, deleted bool) {
	if !s.isFirst(t, &s.told) {
		return
	}
	switch name := s.opts.Tables.quoted(s.opts.Tables.name(t)); {
	case t == other:
		s.opts.Log.Warn("custom events of an unknown project or organization reach no hook")
	case deleted:
		s.opts.Log.Warn("deleted rows of an unknown project make no events",
			"table", name, "remedy", "ALTER TABLE "+name+" REPLICA IDENTITY FULL")
	default:
		s.opts.Log.Warn("rows of an unknown project or organization make no events", "table", name)
	}
}
