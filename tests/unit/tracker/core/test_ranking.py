from __future__ import annotations

import pytest

from bus.errors import ERR_DATABASE, ERR_RATE, ERR_USAGE, ShoalError
from bus.messages import Found, Search, TrackerFailed
from tests.unit.tracker.world import World, entry, identity
from tracker.core.interface import SearchFailed, SearchStore, StoreFound
from tracker.core.ranking import fold, matches, parse_terms


@pytest.mark.parametrize(
    ("query", "name", "found"),
    [
        ("holiday", "Holiday 2024", True),
        ("HOLI", "holiday", True),
        ("day", "holiday", True),
        ("2024 holiday", "Holiday 2024", True),
        ("holiday 2023", "Holiday 2024", False),
        ("a", "banana", True),
        ("é", "Cafe\u0301", True),
        ("ﬁle", "FILE", True),
        ("straße", "STRASSE", True),
        ("日本", "東京と日本", True),
        ("x y", "yx", True),
    ],
)
def test_every_word_must_be_in_the_name_whatever_its_case(query: str, name: str, found: bool):
    assert matches(parse_terms(query), identity("c"), fold(name)) is found


def test_an_id_or_eight_of_its_first_digits_finds_a_content_whatever_its_name():
    content = identity("some content")
    for query, found in [(content, True), (content[:8].upper(), True), (content[:7], False), (content[1:9], False)]:
        assert matches(parse_terms(query), content, "a name") is found


@pytest.mark.parametrize("query", ["", "  ", " ".join(f"w{n}" for n in range(17))])
def test_no_words_and_too_many_words_are_refused(query: str):
    with pytest.raises(ShoalError) as error:
        parse_terms(query)
    assert error.value.code == ERR_USAGE


def search(world: World, words: str, *candidates: str, limit: int = 50) -> list[str]:
    """Names found by a search for which the store has these candidates."""
    link = world.up("searcher")
    [asked] = world.handle_search(link, Search(4, words, limit))
    world.handle(StoreFound(asked.token, tuple(identity(one) for one in candidates)))
    [answer] = world.sent(link)
    assert isinstance(answer, Found)
    return [one.name for one in answer.results]


def test_exact_name_then_prefix_then_word_start_then_substring():
    world = World()
    names = ["unreadable", "a book to read", "reading", "read"]
    world.join("a", *[entry(f"c{n}", name=name) for n, name in enumerate(names)])
    assert search(world, "read", "c0", "c1", "c2", "c3") == ["read", "reading", "a book to read", "unreadable"]


def test_among_equals_more_seeds_come_first_and_then_the_name():
    world = World()
    world.join("a", entry("c0", name="readb"), entry("c1", name="readc"), entry("c2", name="reada"))
    world.join("b", entry("c1", name="readc"))
    assert search(world, "read", "c0", "c1", "c2") == ["readc", "reada", "readb"]


def test_an_id_comes_before_names():
    world = World()
    content = identity("target")
    world.join("a", entry("target", name="unlike"), entry("c1", name=content[:8]))
    assert search(world, content[:8], "c1", "target") == ["unlike", content[:8]]


def test_no_more_than_the_limit_are_answered():
    world = World()
    world.join("a", *[entry(f"c{n}", name=f"read{n}") for n in range(5)])
    assert search(world, "read", *[f"c{n}" for n in range(5)], limit=2) == ["read0", "read1"]


def test_candidates_that_are_gone_or_renamed_since_are_left_out():
    world = World()
    world.join("a", entry("c0", name="other"))
    assert search(world, "read", "c0", "gone") == []


def test_a_result_has_counts_kind_and_size():
    world = World()
    world.join("a", entry("x", name="book", kind="tree", size=7))
    world.join("b", entry("x", name="book", kind="tree", size=7, complete=False))
    link = world.up("searcher")
    [asked] = world.handle_search(link, Search(4, "book", 50))
    assert asked == SearchStore(1, ("book",), "", 1000)
    world.handle(StoreFound(1, (identity("x"),)))
    [answer] = world.sent(link)
    assert isinstance(answer, Found)
    [found] = answer.results
    assert (found.id, found.kind, found.size, found.seeds, found.leechers) == (identity("x"), "tree", 7, 1, 1)


def test_a_search_whose_asker_is_gone_is_answered_to_nobody():
    world = World()
    link = world.up("searcher")
    [asked] = world.handle_search(link, Search(4, "book", 50))
    world.lose(link)
    assert world.handle(StoreFound(asked.token, ())) == []


def test_a_store_that_fails_is_said():
    world = World()
    link = world.up("searcher")
    [asked] = world.handle_search(link, Search(4, "book", 50))
    world.handle(SearchFailed(asked.token, "disk I/O error"))
    assert world.sent(link) == [TrackerFailed(4, ERR_DATABASE, "the tracker cannot search: disk I/O error")]


def test_a_search_without_words_is_refused_without_asking_the_store():
    world = World()
    link = world.up("searcher")
    assert world.handle_search(link, Search(4, " ", 50)) == []
    assert [one.code for one in world.sent_of(link, TrackerFailed)] == [ERR_USAGE]


def test_no_more_searches_wait_than_allowed():
    world = World(pending_searches=2)
    link = world.up("searcher")
    for _ in range(3):
        world.handle_search(link, Search(4, "book", 50))
    assert [one.code for one in world.sent_of(link, TrackerFailed)] == [ERR_RATE]
