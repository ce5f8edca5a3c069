package state

// keys are several keys by column, as arrays of the database.
type keys struct {
	hooks     []int64
	timelines []int32
	commits   []string
	ordinals  []int
}

func newKeys(n int) keys {
	return keys{make([]int64, n), make([]int32, n), make([]string, n), make([]int, n)}
}

func (k keys) set(i int, key Key) {
	k.hooks[i], k.timelines[i], k.commits[i], k.ordinals[i] = key.Hook, key.Event.Timeline, key.Event.Commit.String(), key.Event.Ordinal
}

func keysOf(list []Key) keys {
	k := newKeys(len(list))
	for i, key := range list {
		k.set(i, key)
	}
	return k
}

// The arrays are the first four parameters of a statement, and appear in it as the table
// given with the columns hook, timeline, lsn, ordinal. matched joins the rows.
const (
	keyArrays = `$1::bigint[], $2::int[], $3::text[], $4::int[]`
	matched   = `p.hook_id = hook AND p.commit_lsn = lsn::pg_lsn AND p.ordinal = given.ordinal AND p.timeline = given.timeline`
)
