package state

// The keys are the first four parameters of a statement, as arrays, and appear in it as the
// table given with the columns hook, timeline, lsn, ordinal. matched joins the rows.
const (
	keyArrays = `$1::bigint[], $2::int[], $3::text[], $4::int[]`
	matched   = `p.hook_id = hook AND p.commit_lsn = lsn::pg_lsn AND p.ordinal = given.ordinal AND p.timeline = given.timeline`
)

// key is for keyed, and for types that embed a Key.
func (k Key) key() Key { return k }

// keyed returns the parameters of a statement on the elements of the list: the arrays of
// their keys, and more.
func keyed[T interface{ key() Key }](list []T, more ...any) []any {
	return append(append(make([]any, 0, 4+len(more)),
		column(list, func(e *T) int64 { return (*e).key().Hook }),
		column(list, func(e *T) int32 { return (*e).key().Event.Timeline }),
		column(list, func(e *T) string { return (*e).key().Event.Commit.String() }),
		column(list, func(e *T) int { return (*e).key().Event.Ordinal }),
	), more...)
}

// column returns a value of each element, as an array of the database.
func column[T, V any](list []T, of func(*T) V) []V {
	values := make([]V, len(list))
	for i := range list {
		values[i] = of(&list[i])
	}
	return values
}
