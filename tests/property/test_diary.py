"""Whatever is heard of whatever contents, the diary keeps its bounds, and of each content the newest in order."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from bus import events
from bus.state import PublishedState
from gateway.view import diary
from gateway.view.diary import Diary

IDS = st.sampled_from([f"{number:064x}" for number in range(9)])
PEERS = st.sampled_from(["5" * 64, "7" * 64])
STATES = st.sampled_from(["downloading", "paused", "seeding", "error", "no_sources"])
TEXTS = st.sampled_from(["", "short", "long " * 200])
SOURCES = st.lists(
    st.builds(lambda peer, state: events.SourceRow(peer, 0, 0.0, 1, state), PEERS, st.sampled_from(["open", "gone"])),
    max_size=2,
)
EVENTS = st.one_of(
    st.builds(
        lambda c, s, e: events.ContentShared(c, "n", "file", 1, 1, 1, "/p", False, s, e, 1.0), IDS, STATES, TEXTS
    ),
    st.builds(events.ContentWithdrawn, IDS, TEXTS),
    st.builds(
        lambda c, s, e, sources, finished: events.TransferProgress(
            c, "n", "file", 3, "/p", s, 0, 3, 0, 0.0, -1.0, 0.0, 0, 0, sources, "", e, "", 1.0, finished
        ),
        IDS, STATES, TEXTS, SOURCES, st.sampled_from([0.0, 1.0]),
    ),
    st.builds(events.TransferRemoved, IDS, st.booleans()),
    st.builds(lambda c, p: events.UploadProgress(c, p, 1, 0.0), IDS, PEERS),
    st.builds(lambda c, p: events.UploadEnded(c, p, 1), IDS, PEERS),
    st.builds(events.ChunkRejected, IDS, st.integers(0, 9), PEERS),
    st.builds(events.StreamOpened, PEERS, st.just(1), st.sampled_from(["up", "down"])),
    st.builds(events.StreamClosed, PEERS, st.just(1), st.sampled_from(["up", "down"]), TEXTS, st.just(1)),
    st.builds(events.StreamRefused, PEERS, TEXTS),
)  # fmt: skip
STEPS = st.lists(st.tuples(st.booleans(), st.lists(EVENTS, max_size=12)), max_size=12)


@given(STEPS)
def test_bounds_hold_and_what_was_told_stays_until_newer_things_crowd_it_out(steps):
    with patch.object(diary, "MOST_CONTENTS", 4), patch.object(diary, "MOST_ENTRIES", 5):
        told, state = Diary(), PublishedState()
        for now, (again, heard) in enumerate(steps):
            before = {number: told.of(f"{number:064x}") for number in range(9)}
            if again:  # a snapshot, and what it holds came unheard
                state = state.copy()
                for event in heard:
                    state.apply(event)
                told.take_up(float(now), state)
            else:
                for event in heard:
                    state.apply(event)
                    told.note(float(now), state, [event])
            told.check_invariants()
            for number, entries in before.items():
                after = told.of(f"{number:064x}")
                kept = [one for one in after if one in entries]
                assert kept == entries[len(entries) - len(kept) :]
                assert kept == after[: len(kept)] or not kept
