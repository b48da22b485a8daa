"""Whose bytes go out next, by example."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from peer.core.footing import Footing
from peer.core.scheduler import FREE_RIDER_SHARE, NEWCOMER_SHARE, QUANTUM, FairQueue

A, B, C = LinkId(1), LinkId(2), LinkId(3)
KIB = 2**10
MIB = 2**20


def queue_of(*weights: float, newcomers: int = 0) -> FairQueue:
    """Streams 1, 2, ... with these weights, then newcomers."""
    queue = FairQueue()
    for number, weight in enumerate(weights, 1):
        queue.add(LinkId(number), weight, Footing.KNOWN)
    for number in range(len(weights) + 1, len(weights) + 1 + newcomers):
        queue.add(LinkId(number), 0.5, Footing.NEWCOMER)
    return queue


def serve(queue: FairQueue, *ready: LinkId, size: int, whole: bool = True) -> LinkId | None:
    """One message of whoever's turn it is."""
    link = queue.next(ready.__contains__)
    if link is not None:
        queue.charge(link, size, whole)
    return link


def served(queue: FairQueue, *ready: LinkId, size: int, total: int) -> dict[LinkId, int]:
    """Bytes of each stream after about `total` bytes in chunks of `size`."""
    sent = dict.fromkeys(ready, 0)
    for _ in range(total // size):
        link = serve(queue, *ready, size=size)
        assert link is not None
        sent[link] += size
    return sent


def test_nobody_sends_when_nobody_is_ready() -> None:
    assert queue_of(1.0, 1.0).next(lambda link: False) is None
    assert FairQueue().next(lambda link: True) is None


def test_a_stream_alone_sends_everything() -> None:
    assert served(queue_of(0.2), A, size=16 * MIB, total=160 * MIB) == {A: 160 * MIB}


def test_equal_streams_take_turns_chunk_by_chunk() -> None:
    queue = queue_of(0.5, 0.5, 0.5)
    assert [serve(queue, A, B, C, size=MIB) for _ in range(6)] == [A, B, C, A, B, C]


def test_a_turn_is_a_quantum_by_weight() -> None:
    queue = queue_of(2.0, 1.0)
    turns = [serve(queue, A, B, size=QUANTUM) for _ in range(6)]
    assert turns == [A, A, B, A, A, B]


def test_bytes_follow_the_weights() -> None:
    sent = served(queue_of(1.0, 0.5, 0.25), A, B, C, size=MIB, total=700 * MIB)
    assert [round(sent[link] / MIB / 100) for link in (A, B, C)] == [4, 2, 1]


def test_a_chunk_that_overdraws_is_paid_back_later() -> None:
    queue = queue_of(1.0, 1.0)
    assert serve(queue, A, B, size=16 * MIB) == A
    sent = {A: 0, B: 0}
    while sent[B] < 15 * MIB:
        link = serve(queue, A, B, size=128 * KIB)
        assert link is not None
        sent[link] += 128 * KIB
    assert sent[A] == 0


def test_a_chunk_that_has_begun_is_finished_first() -> None:
    queue = queue_of(0.5, 0.5)
    for place in range(16):
        assert serve(queue, A, B, size=MIB, whole=place == 15) == A
    assert serve(queue, A, B, size=MIB) == B


def test_a_chunk_that_has_begun_goes_before_an_earlier_stream_that_became_ready() -> None:
    queue = queue_of(8.0, 1.0)
    assert serve(queue, A, B, size=KIB) == A
    assert serve(queue, B, size=MIB, whole=False) == B
    assert serve(queue, A, B, size=MIB) == B
    assert serve(queue, A, B, size=KIB) == A


def test_a_stream_that_waits_in_the_middle_of_a_chunk_holds_up_nobody_and_goes_on_next() -> None:
    queue = queue_of(1.0, 1.0, 1.0)
    assert serve(queue, A, B, C, size=MIB, whole=False) == A
    assert serve(queue, B, C, size=MIB, whole=False) == B
    # A can go on, but the chunk that is being sent comes first.
    assert serve(queue, A, B, C, size=MIB) == B
    assert serve(queue, A, B, C, size=MIB) == A
    assert serve(queue, A, B, C, size=MIB) == C


def test_what_is_put_first_goes_before_a_chunk_that_has_begun_and_is_paid_for() -> None:
    queue = queue_of(1.0, 1.0)
    assert serve(queue, A, size=KIB, whole=False) == A
    queue.put_first(B)
    assert serve(queue, A, B, size=QUANTUM) == B
    assert serve(queue, A, B, size=KIB) == A
    # B is in debt for what went first: A has its whole turn.
    assert served(queue, A, B, size=KIB, total=QUANTUM // 2) == {A: QUANTUM // 2, B: 0}


def test_a_free_rider_is_never_put_first() -> None:
    queue = with_riders(known=1, newcomers=0, riders=1)
    assert serve(queue, A, size=KIB, whole=False) == A
    queue.put_first(B)
    assert serve(queue, A, B, size=KIB) == A


def test_newcomers_together_get_their_share_and_no_more() -> None:
    queue = queue_of(0.5, 0.7, newcomers=4)
    links = [LinkId(number) for number in range(1, 7)]
    sent = served(queue, *links, size=128 * KIB, total=400 * MIB)
    share = sum(sent[link] for link in links[2:]) / sum(sent.values())
    assert abs(share - NEWCOMER_SHARE) < 0.005
    assert max(sent[link] for link in links[2:]) - min(sent[link] for link in links[2:]) <= 2 * QUANTUM


def test_newcomers_alone_get_everything_in_equal_parts() -> None:
    sent = served(queue_of(newcomers=2), A, B, size=128 * KIB, total=64 * MIB)
    assert sent == {A: 32 * MIB, B: 32 * MIB}


def test_newcomers_get_everything_while_no_known_peer_asks() -> None:
    queue = queue_of(0.5, newcomers=1)
    assert served(queue, B, size=MIB, total=64 * MIB) == {B: 64 * MIB}


def with_riders(known: int, newcomers: int, riders: int) -> FairQueue:
    """Known peers, newcomers and free riders, in this order."""
    queue = queue_of(*[0.5] * known, newcomers=newcomers)
    for number in range(known + newcomers + 1, known + newcomers + riders + 1):
        queue.add(LinkId(number), 0.5, Footing.FREE_RIDER)
    return queue


@pytest.mark.parametrize(("known", "newcomers"), [(2, 0), (0, 2), (1, 1)])
def test_free_riders_together_get_a_little_while_anybody_else_asks(known: int, newcomers: int) -> None:
    links = [LinkId(number) for number in range(1, 6)]
    sent = served(with_riders(known, newcomers, 3), *links, size=128 * KIB, total=400 * MIB)
    total = sum(sent.values())
    assert abs(sum(sent[link] for link in links[2:]) / total - FREE_RIDER_SHARE) < 0.005
    assert min(sent[link] for link in links[2:]) > 0.8 * total * FREE_RIDER_SHARE / 3


def test_free_riders_are_served_from_the_newcomers_part() -> None:
    links = [LinkId(number) for number in range(1, 5)]
    sent = served(with_riders(2, 1, 1), *links, size=128 * KIB, total=400 * MIB)
    share = (sent[links[2]] + sent[links[3]]) / sum(sent.values())
    assert abs(share - NEWCOMER_SHARE) < 0.005


def test_free_riders_alone_get_everything_in_equal_parts() -> None:
    sent = served(with_riders(0, 0, 2), A, B, size=128 * KIB, total=64 * MIB)
    assert sent == {A: 32 * MIB, B: 32 * MIB}


def test_who_turns_out_to_be_a_free_rider_in_the_middle_of_a_chunk_waits_its_turn() -> None:
    queue = queue_of(1.0, 1.0)
    assert serve(queue, A, B, size=MIB, whole=False) == A
    queue.weigh(A, 1.0, Footing.FREE_RIDER)
    assert serve(queue, A, B, size=MIB) == B


def test_a_newcomer_that_proves_itself_counts_by_its_weight_from_then_on() -> None:
    queue = queue_of(0.5, newcomers=1)
    served(queue, A, B, size=128 * KIB, total=16 * MIB)
    queue.weigh(B, 0.5, Footing.KNOWN)
    sent = served(queue, A, B, size=128 * KIB, total=128 * MIB)
    assert abs(sent[A] - sent[B]) <= 4 * QUANTUM


def test_somebody_may_send_after_every_round_however_the_weights_divide() -> None:
    queue = queue_of(newcomers=2)
    queue.add(C, 0.05, Footing.KNOWN)
    for _ in range(100):
        link = queue.next(lambda link: True)
        assert link is not None
        queue.charge(link, 131072 if link == C else 20_000, whole=True)


def test_a_stream_saves_up_no_more_than_a_turn_while_it_pauses() -> None:
    queue = queue_of(1.0, 1.0)
    served(queue, B, size=128 * KIB, total=64 * MIB)
    sent = served(queue, A, B, size=128 * KIB, total=8 * MIB)
    assert abs(sent[A] - sent[B]) <= 2 * QUANTUM


def test_a_stream_that_ended_is_forgotten() -> None:
    queue = queue_of(1.0, 1.0)
    serve(queue, A, B, size=MIB, whole=False)
    queue.remove(A)
    queue.remove(A)
    assert queue.next(lambda link: True) == B
    queue.weigh(A, 1.0, Footing.KNOWN)
    assert queue.next(lambda link: True) == B
