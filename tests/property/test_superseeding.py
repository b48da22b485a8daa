"""A lone seed's offers: disjoint, never of what is spread, never lost, and in the end every chunk is offered."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bus.boundary import LinkId
from peer.core.bitmap import chunks_in
from peer.core.layout import Entry, Layout
from peer.core.superseeding import OFFER_LEAST, OFFER_PATIENCE, OFFER_SECONDS, SuperSeed

SIZES = st.sampled_from([0, 1, 4096, 20_000, 128 * 1024, 300_000, 2**20])
LINKS = st.integers(1, 5).map(LinkId)
MASKS = st.integers(0, 2**64 - 1)


class SuperSeedMachine(RuleBasedStateMachine):
    """Leechers that take up offers, sit on them, vanish, and hear of chunks from one another."""

    @initialize(sizes=st.lists(SIZES, min_size=1, max_size=40), seed=st.integers(0, 10), kept=MASKS, spread=MASKS)
    def start(self, sizes: list[int], seed: int, kept: int, spread: int) -> None:
        entries = [Entry(f"{n:03}", size, False, f"{n:064x}") for n, size in enumerate(sizes)]
        self.layout = Layout("tree", entries)
        self.rng = random.Random(seed)
        self.seed = SuperSeed(self.layout)
        self.now = 0.0
        self.spread = 0
        self.offers: dict[LinkId, int] = {}
        """What each leecher was offered and nobody has, told once more by the test."""
        self.moved: dict[LinkId, float] = {}
        self.passed: dict[LinkId, bool] = {}
        self.know(spread)
        self.seed.begin({LinkId(1): kept & self.layout.all_chunks & ~self.spread}, self.now)
        if self.seed.offered(LinkId(1)):
            self.note(LinkId(1), self.seed.offered(LinkId(1)))

    def note(self, link: LinkId, mask: int) -> None:
        self.offers[link] = mask
        self.moved[link] = self.now

    @rule(link=LINKS, rate=st.sampled_from([0.0, 10.0**5, 10.0**7]))
    def offer(self, link: LinkId, rate: float) -> None:
        fresh, before = self.seed.fresh, self.seed.offered(link)
        mask = self.seed.offer(link, rate, self.now, self.rng)
        assert not mask & ~fresh
        assert bool(mask) == bool(fresh and not before and link not in self.passed)
        if mask:
            assert self.layout.bytes_in(mask) <= max(OFFER_LEAST, rate * OFFER_SECONDS) or mask.bit_count() == 1
            self.note(link, mask)

    @rule(mask=MASKS)
    def know(self, mask: int) -> None:
        mask &= self.layout.all_chunks
        self.seed.know(mask)
        self.spread |= mask
        self.offers = {link: rest for link, old in self.offers.items() if (rest := old & ~mask)}

    @rule(mask=MASKS)
    def forget(self, mask: int) -> None:
        """Nobody has some chunks any more but who keeps them."""
        mask &= self.spread
        self.seed.forget(mask)
        self.spread &= ~mask

    @rule(link=LINKS)
    def take_up(self, link: LinkId) -> None:
        """One chunk of an offer is sent."""
        if chunk := self.offers.get(link, 0):
            self.know(chunk & -chunk)
            self.seed.progress(link, self.now)
            self.moved[link] = self.now

    @rule(link=LINKS)
    def end_stream(self, link: LinkId) -> None:
        self.seed.lost(link)
        self.offers.pop(link, None)

    @rule(seconds=st.floats(0.1, OFFER_PATIENCE))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        late = self.seed.overdue(self.now)
        assert late == [link for link in late if self.offers.pop(link)]
        self.passed |= dict.fromkeys(late, True)
        assert all(self.now - self.moved[link] < OFFER_PATIENCE for link in self.offers)

    @invariant()
    def offers_are_disjoint_and_what_is_not_offered_or_spread_is_fresh(self) -> None:
        self.seed.check_invariants()
        assert {link: mask for link in range(1, 6) if (mask := self.seed.offered(LinkId(link)))} == self.offers
        assert self.seed.spread == self.spread
        assert self.seed.fresh == self.layout.all_chunks & ~self.spread & ~sum(self.offers.values())

    def teardown(self) -> None:
        """Whatever happened: one leecher that takes up what it is offered comes to see every chunk."""
        if not hasattr(self, "layout"):
            return
        taker = LinkId(9)
        for _ in range(2 * self.layout.chunks + 1):
            self.now += OFFER_PATIENCE
            self.seed.overdue(self.now)
            mask = self.seed.offer(taker, 0.0, self.now, self.rng)
            assert list(chunks_in(mask & self.seed.spread)) == []
            self.seed.know(mask)
        assert self.seed.spread == self.layout.all_chunks


SuperSeedMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSuperSeed = SuperSeedMachine.TestCase
