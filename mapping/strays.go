package mapping

import (
	"github.com/jackc/pgx/v5"
)

// strays counts rows without an event because their project or its organization is
// unknown, and logs the first one of each table.
type strays struct {
	opts       Options
	told       [tables]bool
	toldNumber [tables]bool
}

// unnumbered counts a row of the table whose id is not a 64-bit integer.
func (s *strays) unnumbered(t table) {
	s.opts.Metrics.unroutable[t].Inc()
	if s.toldNumber[t] {
		return
	}
	s.toldNumber[t] = true
	s.opts.Log.Error("rows without an integer id make no events", "table", s.name(t))
}

func (s *strays) name(t table) string {
	return pgx.Identifier{s.opts.Tables.Schema, s.opts.Tables.name(t)}.Sanitize()
}

// count counts a row of the table. deleted states that a deleted row does not contain its
// project, which can be fixed.
func (s *strays) count(t table, deleted bool) {
	s.opts.Metrics.unroutable[t].Inc()
	if s.told[t] {
		return
	}
	s.told[t] = true
	if t == other {
		s.opts.Log.Warn("custom events of an unknown project or organization reach no hook")
		return
	}
	name := s.name(t)
	if deleted {
		s.opts.Log.Warn("deleted rows of an unknown project make no events",
			"table", name, "remedy", "ALTER TABLE "+name+" REPLICA IDENTITY FULL")
		return
	}
	s.opts.Log.Warn("rows of an unknown project or organization make no events", "table", name)
}
