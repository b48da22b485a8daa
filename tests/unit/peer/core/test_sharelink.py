"""Share links say what they were made of, and anything else is refused with the part that is wrong."""

from __future__ import annotations

import pytest

from bus.errors import ERR_USAGE, ShoalError
from peer.core.sharelink import MAX_LINK, ShareLink, TrackerHint, format_link, parse_link, parse_reference

ID, KEY = "5f" * 32, "a0" * 32


def test_a_link_names_content_and_trackers_in_the_documented_form():
    link = ShareLink(ID, "my file & more.iso", (TrackerHint("tcp://10.0.0.1:7000", KEY),))
    assert format_link(link) == f"shoal:{ID}?name=my%20file%20%26%20more.iso&tracker=tcp://10.0.0.1:7000&key={KEY}"


def test_a_bare_id_is_a_link():
    assert parse_link(f"shoal:{ID}") == ShareLink(ID)
    assert format_link(ShareLink(ID)) == f"shoal:{ID}"


def test_what_a_mail_program_adds_does_not_matter():
    assert parse_link(f"  SHOAL:{ID.upper()}?key={KEY.upper()}&tracker=tcp://h:1\n") == ShareLink(
        ID, "", (TrackerHint("tcp://h:1", KEY),)
    )


def test_fields_of_later_versions_are_ignored():
    assert parse_link(f"shoal:{ID}?size=7&name=a+b&x") == ShareLink(ID, "a b")


def test_an_ipv6_tracker_is_understood():
    hint = TrackerHint("tcp://[fe80::1]:7000", KEY)
    assert parse_link(format_link(ShareLink(ID, "", (hint,)))).trackers == (hint,)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "does not start with shoal:"),
        ("magnet:?xt=1", "does not start with shoal:"),
        ("shoal:", "64 hex digits"),
        (f"shoal:{ID[:-1]}", "64 hex digits"),
        (f"shoal:{ID}0", "64 hex digits"),
        (f"shoal://{ID}", "64 hex digits"),
        (f"shoal:{'g' * 64}", "64 hex digits"),
        (f"shoal:{ID}?name=%ff", "percent-encoded UTF-8"),
        (f"shoal:{ID}?" + "x=1&" * 64 + "y=2", "at most 64 fields"),
        (f"shoal:{ID}?name=" + "n" * 256, "the limit is 255"),
        (f"shoal:{ID}?name=" + "n" * MAX_LINK, f"the limit is {MAX_LINK}"),
        (f"shoal:{ID}?tracker=tcp://h:1", "each tracker needs its key"),
        (f"shoal:{ID}?key={KEY}", "each tracker needs its key"),
        (f"shoal:{ID}?tracker=tcp://h:1&key=12", "expected 64 lower-case hex digits, found '12'"),
        (f"shoal:{ID}?tracker=h:1&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?tracker=tcp://h&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?tracker=tcp://h:0&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?tracker=tcp://h:65536&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?tracker=ipc://tmp/x:1&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?tracker=tcp://a%20b:1&key={KEY}", "expected tcp://HOST:PORT"),
        (f"shoal:{ID}?" + f"tracker=tcp://h:1&key={KEY}&" * 9, "the limit is 8"),
    ],
)
def test_a_malformed_link_is_refused_with_the_part_that_is_wrong(text, part):
    with pytest.raises(ShoalError, match=part) as refused:
        parse_link(text)
    assert refused.value.code == ERR_USAGE
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (ID, ID),
        (ID.upper(), ID),
        (f" {ID[:8]} ", ID[:8]),
        (f"shoal:{ID}?name=a+b", f"shoal:{ID}?name=a%20b"),
    ],
)
def test_a_reference_is_an_id_its_first_digits_or_a_link(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize("text", ["", "ubuntu", ID[:7], ID + "0", "shoal:12", "5f5f 5f5f", "http://h/x", "\x1b[2J"])
def test_what_is_no_reference_is_refused_in_one_printable_line(text):
    with pytest.raises(ShoalError) as refused:
        parse_reference(text)
    assert refused.value.code == ERR_USAGE
    assert refused.value.message.isprintable()
