package hook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot defines exactly which transactions were visible to a query, independent of
// clocks, even if a commit has waited for a standby. The zero snapshot saw none.
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
type snapshot struct {
	min, max uint64   // all below min had ended; none from max on was visible
	running  []uint64 // running ones between them, in order
}

// parseSnapshot reads the text form of pg_snapshot: xmin:xmax:xip,xip.
func parseSnapshot(text string) (snapshot, error) {
	var xids []uint64
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ':' || r == ',' }) {
		xid, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return snapshot{}, fmt.Errorf("%q is not a snapshot", text)
		}
		xids = append(xids, xid)
	}
	if len(xids) < 2 || strings.Count(text, ":") != 2 {
		return snapshot{}, fmt.Errorf("%q is not a snapshot", text)
	}
	slices.Sort(xids[2:])
	return snapshot{min: xids[0], max: xids[1], running: xids[2:]}, nil
}

// saw reports whether the committed transaction was visible. The stream contains the id
// without its epoch, which is that of the transactions around the snapshot. 0 is no
// transaction.
func (s *snapshot) saw(xid uint32) bool {
	if s.max == 0 || xid == 0 {
		return false
	}
	full := s.max + uint64(int64(int32(xid-uint32(s.max)))) // at most 2³¹ away
	if full >= s.max {
		return false
	}
	_, running := slices.BinarySearch(s.running, full)
	return full < s.min || !running
}
