package cdc

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestPastGap(t *testing.T) {
	written := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	published := Published{"": "1", "public.task": "7/5"}
	past := func(change func(*Memory)) *Memory {
		p := &Memory{SystemID: "1", Timeline: 2, End: 50, At: written, Clean: true, Written: written, Publication: published}
		if change != nil {
			change(p)
		}
		return p
	}
	slot := func(change func(*Slot)) *Slot {
		s := &Slot{Name: "s", SystemID: "1", Timeline: 2, Confirmed: 50, Written: 70, Published: published}
		if change != nil {
			change(s)
		}
		return s
	}
	unclean := past(func(p *Memory) { p.Clean, p.Decoded = false, Decoded{7, "noon"} })
	ahead := slot(func(s *Slot) { s.Confirmed = 60 })
	decoded := func(confirmed LSN, n int64, since string) *Slot {
		return slot(func(s *Slot) { s.Confirmed, s.Decoded = confirmed, Decoded{n, since} })
	}
	promoted := slot(func(s *Slot) { s.Timeline = 3 })
	without := func(change func(Published)) *Slot {
		now := Published{"": "1", "public.task": "7/5"}
		change(now)
		return slot(func(s *Slot) { s.Published = now })
	}
	for _, test := range []struct {
		name    string
		past    *Memory
		slot    *Slot
		history timelines
		last    checkpoint
		want    string // why; "" is none
		from    LSN    // 50 if not given
		to      LSN
		until   time.Time
	}{
		{name: "where it was left", past: past(nil), slot: slot(nil)},
		{name: "behind, after a crash", past: past(nil), slot: slot(func(s *Slot) { s.Confirmed = 40 })},
		{name: "ahead", past: past(nil), slot: ahead, want: "the slot was moved or recreated by another program", to: 60},
		{name: "ahead, after a run that was killed", past: unclean, slot: ahead},
		{
			name: "ahead, but behind a checkpoint of that time", past: unclean, slot: ahead,
			last: checkpoint{lsn: 55, time: written.Add(unproven)},
		},
		{
			name: "ahead of a checkpoint of later", past: unclean, slot: ahead,
			last: checkpoint{lsn: 55, time: written.Add(unproven + time.Second)},
			want: "the slot was moved or recreated by another program", to: 60,
		},
		{
			name: "behind a checkpoint of later", past: unclean, slot: ahead,
			last: checkpoint{lsn: 61, time: written.Add(time.Hour)},
		},
		{
			name: "ahead, and less was decoded", past: unclean, slot: decoded(60, 6, "noon"),
			want: "the slot was moved or recreated by another program", to: 60,
		},
		{name: "ahead, and as much was decoded", past: unclean, slot: decoded(60, 7, "noon")},
		{name: "ahead, and the statistics were lost", past: unclean, slot: decoded(60, 0, "one")},
		{name: "ahead, and nothing is known of what was decoded", past: unclean, slot: decoded(60, 0, "")},
		{name: "behind, and less was decoded", past: unclean, slot: decoded(40, 6, "noon")},
		{
			name: "put back on its timeline", past: past(nil), slot: slot(func(s *Slot) { s.Confirmed, s.Written = 40, 49 }),
			want: "the database was restored to an earlier state: its WAL ends at 0/31, but 0/32 had been delivered", from: 49, to: 50, until: written,
		},
		{
			name: "another server", past: past(nil), slot: slot(func(s *Slot) { s.SystemID = "2" }),
			want: "this is another server (system identifier 2, not 1)",
		},
		{name: "promoted", past: past(nil), slot: promoted, history: timelines{current: 3, past: []timeline{{1, 10}, {2, 50}}}},
		{
			name: "promoted without what was delivered", past: past(nil), slot: promoted,
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 49}}},
			want:    "the database was restored to an earlier state: timeline 2 ended at 0/31, but 0/32 had been delivered", from: 49, to: 50, until: written,
		},
		{
			name: "promoted, after a run that was killed, with the slot of before", past: past(func(p *Memory) { p.Clean = false }),
			slot:    slot(func(s *Slot) { s.Timeline, s.Confirmed = 3, 60 }),
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 60}}},
		},
		{
			name: "promoted, after a run that was killed, with the statistics of a copied standby", past: unclean,
			slot:    slot(func(s *Slot) { s.Timeline, s.Confirmed, s.Decoded = 3, 60, Decoded{0, "noon"} }),
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 60}}},
		},
		{
			name: "promoted, after a run that was killed, with a slot of later", past: past(func(p *Memory) { p.Clean = false }),
			slot:    slot(func(s *Slot) { s.Timeline, s.Confirmed = 3, 61 }),
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 60}}},
			want:    "the slot was moved or recreated by another program", to: 61,
		},
		{
			name: "promoted without WAL in which no transaction was, with a slot of later", past: past(func(p *Memory) { p.Done, p.Clean = 40, false }),
			slot:    slot(func(s *Slot) { s.Timeline, s.Confirmed = 3, 48 }),
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 45}}},
			want:    "the slot was moved or recreated by another program", to: 48,
		},
		{
			name: "promoted without WAL in which no transaction was", past: past(func(p *Memory) { p.Done = 49 }),
			slot:    slot(func(s *Slot) { s.Timeline, s.Confirmed = 3, 49 }),
			history: timelines{current: 3, past: []timeline{{1, 10}, {2, 49}}},
		},
		{
			name: "an older timeline", past: past(nil), slot: slot(func(s *Slot) { s.Timeline = 1 }),
			want: "the database is an older state: it is on timeline 1, and was on 2",
		},
		{name: "more published", past: past(nil), slot: without(func(p Published) { p["public.more"] = "9/9" })},
		{
			name: "publication dropped", past: past(nil), slot: without(func(p Published) { clear(p) }),
			want: "the publication was dropped",
		},
		{
			name: "publication made anew", past: past(nil), slot: without(func(p Published) { p[""] = "2" }),
			want: "the publication was dropped and recreated",
		},
		{
			name: "table taken out", past: past(nil), slot: without(func(p Published) { delete(p, "public.task") }),
			want: "table public.task was removed from the publication",
		},
		{
			name: "table put back", past: past(nil), slot: without(func(p Published) { p["public.task"] = "8/5" }),
			want: "table public.task was removed from the publication and added again",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var want *Gap
			if test.want != "" {
				want = &Gap{Slot: "s", Why: test.want, From: cmp.Or(test.from, 50), Since: written, To: test.to, Until: test.until}
			}
			if diff := gocmp.Diff(want, test.past.gap(test.slot, &test.history, test.last)); diff != "" {
				t.Errorf("gap (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPastSeen: what is written goes back with the database, what this process has
// seen does not.
func TestPastSeen(t *testing.T) {
	past := &Memory{SystemID: "1", Timeline: 1, End: 40, Own: &Memory{SystemID: "1", Timeline: 1, End: 60}}
	restored := &Slot{Name: "s", SystemID: "1", Timeline: 2, Confirmed: 40}
	got := past.gap(restored, &timelines{current: 2, past: []timeline{{1, 50}}}, checkpoint{})
	want := &Gap{Slot: "s", Why: "the database was restored to an earlier state: timeline 1 ended at 0/32, but 0/3C had been delivered", From: 50, To: 60}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
	if got := past.gap(restored, &timelines{current: 2, past: []timeline{{1, 60}}}, checkpoint{}); got != nil {
		t.Errorf("a promotion is the gap %v", got)
	}
	put := &Slot{Name: "s", SystemID: "1", Timeline: 1, Confirmed: 40, Written: 59}
	want.Why, want.From = "the database was restored to an earlier state: its WAL ends at 0/3B, but 0/3C had been delivered", 59
	if diff := gocmp.Diff(want, past.gap(put, &timelines{current: 1}, checkpoint{})); diff != "" {
		t.Errorf("gap (-want +got):\n%s", diff)
	}
}

// TestPastGapStays: a gap that was found is one until it is mended.
func TestPastGapStays(t *testing.T) {
	found := &Gap{Slot: "s", Why: "the slot was dropped", From: 50, Found: time.Now()}
	past := &Memory{SystemID: "1", End: 50, Gap: found}
	if got := past.gap(&Slot{SystemID: "1", Confirmed: 40, Written: 70}, &timelines{}, checkpoint{}); got != found {
		t.Errorf("gap %v, want %v", got, found)
	}
	if err := past.explain("s", slotMissing("s")); !errors.Is(err, error(found)) {
		t.Errorf("error %v, want %v", err, found)
	}
}

func TestPastExplains(t *testing.T) {
	past := &Memory{End: 50, At: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	for _, test := range []struct {
		name string
		past *Memory
		err  error
		want string // of the gap; "": the error is returned as it is
	}{
		{"slot missing", past, slotMissing("s"), "the slot was dropped"},
		{"slot missing, and never seen", nil, slotMissing("s"), ""},
		{"publication missing", past, &Fault{Reason: PublicationMissing}, "the publication was dropped"},
		{"operation not published", past, &Fault{Reason: OperationsMissing, What: "publication lacks operation x"}, "publication lacks operation x"},
		{"a table more than before", past, &Fault{Reason: PublicationIncomplete}, ""},
		{"generated columns not published", past, &Fault{Reason: GeneratedColumns}, ""},
		{"slot lost", past, &Gap{Slot: "s", Why: "the slot is lost", From: 40}, "the slot is lost"},
		{"anything else", past, errors.New("connection reset"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.past.explain("s", test.err)
			gap, is := errors.AsType[*Gap](err)
			switch {
			case test.want == "" && !errors.Is(err, test.err):
				t.Errorf("error %v, want %v", err, test.err)
			case test.want != "" && (!is || gap.Why != test.want || !gap.Since.Equal(past.At)):
				t.Errorf("error %#v, want a gap since %s: %s", err, past.At, test.want)
			}
		})
	}
}

func TestGapSaysWhatToDo(t *testing.T) {
	gap := &Gap{Slot: "s", Why: "the slot was dropped", From: 0x16B374D848, Since: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	for _, want := range []string{
		`gap in the stream of slot "s": the slot was dropped`, "changes after 16/B374D848 (2026-11-25 12:00:00 UTC) and until it is repaired are missing",
		"`hooktail repair`", "`hooktail repair --resend`",
	} {
		if !strings.Contains(gap.Error(), want) {
			t.Errorf("%q lacks %q", gap, want)
		}
	}
	gap.To, gap.Until = 0x16B374D849, time.Date(2026, 11, 25, 13, 0, 0, 0, time.UTC)
	if want := "(2026-11-25 12:00:00 UTC) and up to 16/B374D849 (2026-11-25 13:00:00 UTC) are missing"; !strings.Contains(gap.Error(), want) {
		t.Errorf("%q lacks %q", gap, want)
	}
}
