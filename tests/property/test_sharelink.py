"""Whatever a link is made of, its text gives it back, and no text makes the parser fail in another way."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import assume, given
from hypothesis import strategies as st

from bus.errors import ShoalError
from peer.core.sharelink import MAX_LINK, ShareLink, TrackerHint, format_link, parse_link

ids = st.text("0123456789abcdef", min_size=64, max_size=64)
hosts = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"[a-z0-9]{1,20}(\.[a-z0-9-]{1,20}){0,3}", fullmatch=True),
)
endpoints = st.builds(lambda host, port: f"tcp://{host}:{port}", hosts, st.integers(1, 65535))
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=255)
links = st.builds(ShareLink, ids, names, st.lists(st.builds(TrackerHint, endpoints, ids), max_size=8).map(tuple))


@given(links)
def test_a_link_survives_its_text(link):
    text = format_link(link)
    assume(len(text) <= MAX_LINK)
    assert parse_link(text) == link
    assert text.isascii()
    assert not any(character in text for character in " \"'<>\\`$;|")


@given(st.one_of(st.text(), st.text().map(lambda tail: f"shoal:{'0' * 64}?{tail}")))
def test_any_text_is_a_link_or_refused(text):
    with suppress(ShoalError):
        assert parse_link(format_link(parse_link(text))) == parse_link(text)
