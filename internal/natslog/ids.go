package natslog

import (
	"encoding/hex"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// ids is a set of ids of messages and of deliveries, as in Bookmark.Done. An event takes a bit or
// little more: a transaction may have millions, and until it is over all of them are above the prefix.
type ids struct {
	events map[block]ordinals
	others map[string]struct{} // deliveries to one hook, changes, events for hooks that were adopted later
}

// block is blockSize events of a transaction, whose ordinals follow one another.
type block struct {
	timeline int32
	lsn      cdc.LSN
	number   int
}

// ordinals has a bit for each event of a block, the first one's the highest.
type ordinals [blockSize / 8]byte

const (
	blockSize = 256
	blockFew  = 3   // as many events of a block are listed one by one
	blockMark = ":" // in a list, between the first id of a block and its ordinals
)

// idsOf returns the set of that list.
func idsOf(list []string) *ids {
	s := &ids{events: make(map[block]ordinals), others: make(map[string]struct{})}
	for _, id := range list {
		first, text, isBlock := strings.Cut(id, blockMark)
		event, err := state.ParseID(first)
		if !isBlock || err != nil {
			s.add(id)
			continue
		}
		var of ordinals
		if n, err := hex.Decode(of[:], []byte(text[:min(len(text), 2*len(of))])); err == nil && n == len(of) {
			at, _ := blockOf(event)
			s.events[at] = of
		}
	}
	return s
}

// blockOf returns the event's block, and its number there.
func blockOf(id mapping.ID) (block, int) {
	return block{id.Timeline, id.Commit, id.Ordinal / blockSize}, id.Ordinal % blockSize
}

func (s *ids) add(id string) {
	event, err := state.ParseID(id)
	if err != nil {
		s.others[id] = struct{}{}
		return
	}
	at, n := blockOf(event)
	of := s.events[at]
	of[n/8] |= 0x80 >> (n % 8)
	s.events[at] = of
}

func (s *ids) has(id string) bool {
	if event, err := state.ParseID(id); err == nil {
		return s.hasEvent(event)
	}
	_, has := s.others[id]
	return has
}

func (s *ids) hasEvent(id mapping.ID) bool {
	at, n := blockOf(id)
	of := s.events[at]
	return of[n/8]&(0x80>>(n%8)) != 0
}

// pass removes what is below the prefix.
func (s *ids) pass(prefix Prefix) {
	maps.DeleteFunc(s.events, func(at block, _ ordinals) bool { return prefix.Has(at.id(0)) })
	maps.DeleteFunc(s.others, func(id string, _ struct{}) bool {
		event, _, _ := strings.Cut(id, "/")
		return prefix.hasID(event)
	})
}

// id returns the id of the block's event with that number.
func (b block) id(n int) mapping.ID {
	return mapping.ID{Timeline: b.timeline, Commit: b.lsn, Ordinal: b.number*blockSize + n}
}

// list returns the ids, in order.
func (s *ids) list() (list []string) {
	for at, of := range s.events {
		if of.count() > blockFew {
			list = append(list, at.id(0).String()+blockMark+hex.EncodeToString(of[:]))
			continue
		}
		for n := range blockSize {
			if of[n/8]&(0x80>>(n%8)) != 0 {
				list = append(list, at.id(n).String())
			}
		}
	}
	list = slices.AppendSeq(list, maps.Keys(s.others))
	slices.Sort(list)
	return list
}

func (o *ordinals) count() (n int) {
	for _, b := range o {
		n += bits.OnesCount8(b)
	}
	return n
}
