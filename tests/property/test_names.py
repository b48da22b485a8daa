"""Whatever name comes in: refused with ERR_PATH, or accepted unchanged and inside the folder it is joined to.

SHOAL_LONG=1 looks at 50,000 names a property instead of 2,000.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import ERR_PATH, ShoalError
from bus.names import MACOS, POSIX, WINDOWS, SafePath, check_tree, refuse_bad_tree, safe_name, safe_relpath

EXAMPLES = 50_000 if os.environ.get("SHOAL_LONG") == "1" else 1_000
pytestmark = pytest.mark.timeout(1200 if EXAMPLES > 1_000 else 120)
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
fewer = settings(many, max_examples=EXAMPLES // 4)  # a tree is many names

# Text alone hardly ever hits a rule, so names are mostly built from what rules are about.
CHARACTERS = "///aAb.\\: \0\n\x7f\x9b\u202e\u2066\u00e9\u0301\ud800日?~"
FRAGMENTS = st.sampled_from([*CHARACTERS, "..", "nul", "COM1", "%2e", "ä" * 64, "x" * 250])
NAMES = st.one_of(
    st.lists(FRAGMENTS, max_size=24).map("".join),
    st.text(st.characters(), max_size=40),
    st.lists(st.sampled_from(["a", "b", "..", ".", "", "nul", "c d"]), max_size=8).map("/".join),
)
TARGETS = st.sampled_from([POSIX, WINDOWS, MACOS])
ROOT = "/srv/shared files"


def verdict(name: str | bytes, target=POSIX) -> SafePath | str:
    """The accepted path, or the reason of the refusal."""
    try:
        return safe_relpath(name, target)
    except ShoalError as error:
        refusal = error
    assert refusal.code == ERR_PATH
    assert refusal.message.isprintable()
    return refusal.message.rpartition(" refused: ")[2]


@many
@given(NAMES, TARGETS)
def test_accepted_path_is_unchanged_and_stays_inside_the_folder_it_is_joined_to(name, target):
    safe = verdict(name, target)
    if isinstance(safe, SafePath):
        assert safe.path == name == "/".join(safe.parts)  # so no two names become one
        assert safe_relpath(safe.path, target) == safe
        joined = os.path.join(ROOT, *safe.parts)
        assert os.path.normpath(joined) == joined == f"{ROOT}/{name}"
        assert len(os.fsencode(name)) <= 4096
        assert all(0 < len(os.fsencode(part)) <= 255 for part in safe.parts)


@many
@given(NAMES, TARGETS)
def test_text_and_its_bytes_get_the_same_verdict(name, target):
    assert verdict(name, target) == verdict(name.encode("utf-8", "surrogatepass"), target)


@many
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_are_the_path(name):
    safe = verdict(name)
    assert isinstance(safe, str) or safe.path.encode() == name


@many
@given(NAMES, TARGETS)
def test_a_target_refuses_exactly_what_its_file_systems_cannot_hold(name, target):
    anywhere, there = verdict(name), verdict(name, target)
    if isinstance(anywhere, SafePath):
        assert isinstance(there, SafePath) == (not target.cannot_hold.intersection(anywhere.warnings))
    else:
        assert there == anywhere


@many
@given(NAMES)
def test_name_is_a_path_of_one_part(name):
    safe = verdict(name)
    try:
        named = safe_name(name)
    except ShoalError:
        assert isinstance(safe, str) or len(safe.parts) > 1
    else:
        assert named == safe


TREE_PATHS = st.lists(
    st.lists(st.sampled_from(["a", "A", "b", "a.", "\u00e9", "e\u0301", "E\u0301"]), min_size=1, max_size=3).map(
        "/".join
    ),
    max_size=8,
)


def tree_verdict(paths: list[str], target) -> object:
    try:
        return check_tree(paths, target)
    except ShoalError as error:
        return error.message


@fewer
@given(TREE_PATHS, TARGETS, st.randoms(use_true_random=False))
def test_order_of_a_tree_does_not_matter(paths, target, rng: random.Random):
    shuffled = list(paths)
    rng.shuffle(shuffled)
    assert tree_verdict(paths, target) == tree_verdict(shuffled, target)


@fewer
@given(st.one_of(TREE_PATHS, st.lists(st.one_of(NAMES, st.sampled_from(["a", "a/b", "a-b", "a/b/c"])), max_size=6)))
def test_the_quick_judge_of_trees_refuses_what_the_thorough_one_does_and_nothing_else(paths):
    thorough = tree_verdict(paths, POSIX)
    if isinstance(thorough, tuple):
        refuse_bad_tree(paths)
    else:
        with pytest.raises(ShoalError) as caught:
            refuse_bad_tree(paths)
        assert caught.value.message == thorough


@fewer
@given(TREE_PATHS)
def test_tree_is_accepted_exactly_if_every_path_names_one_thing(paths):
    folders = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
    sound = len(set(paths)) == len(paths) and not folders.intersection(paths)
    assert isinstance(tree_verdict(paths, POSIX), tuple) == sound
