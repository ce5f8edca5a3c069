package mapping

import (
	"github.com/jackc/pgx/v5"
)

// strays counts the rows whose project, or whose project's organization, is not
// known and of which no event can be made therefore, and logs the first one of
// each table.
type strays struct {
	opts       Options
	told       [tables]bool
	toldNumber [tables]bool
}

// unnumbered counts a row of the table whose id is no integer of 64 bits.
func (s *strays) unnumbered(t table) {
	s.opts.Metrics.lost(t)
	if s.toldNumber[t] {
		return
	}
	s.toldNumber[t] = true
	s.opts.Log.Error("id of rows is not an integer: no event is made of them", "table", s.name(t))
}

func (s *strays) name(t table) string {
	return pgx.Identifier{s.opts.Tables.Schema, s.opts.Tables.name(t)}.Sanitize()
}

// count counts a row of the table. deleted says that it is because a deleted
// row does not say where it belonged, which can be cured.
func (s *strays) count(t table, deleted bool) {
	s.opts.Metrics.lost(t)
	if s.told[t] {
		return
	}
	s.told[t] = true
	if t == other {
		s.opts.Log.Warn("project of custom events, or its organization, is not known: no hook gets them")
		return
	}
	name := s.name(t)
	if deleted {
		s.opts.Log.Warn("project of deleted rows is not known: no event is made of them",
			"table", name, "cure", "ALTER TABLE "+name+" REPLICA IDENTITY FULL")
		return
	}
	s.opts.Log.Warn("project of rows, or its organization, is not known: no event is made of them", "table", name)
}
