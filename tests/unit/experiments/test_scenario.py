from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import ERR_CONFIG, ShoalError
from experiments.scenario import NEVER, Arrival, Content, Departure, Disk, Failure, Files, read_scenario

SCENARIOS = Path(__file__).parents[3] / "experiments" / "scenarios"
SEED = "groups: {s: {peers: 1, complete: true}, a: {peers: 2}}"
LEAST = "content: {size: 1}\n" + SEED


def given(tmp_path, text):
    path = tmp_path / "given.yaml"
    path.write_text(text)
    return read_scenario(path)


def group(tmp_path, text):
    """The group a of a scenario, written so."""
    rest = f"content: {{size: 1}}\nbackend: sim\ngroups: {{s: {{peers: 1, complete: true}}, a: {{peers: 2, {text}}}}}"
    return given(tmp_path, rest).groups["a"]


def test_little_must_be_said(tmp_path):
    scenario = given(tmp_path, LEAST)
    assert (scenario.leechers, scenario.content) == (2, Content(1))
    assert (scenario.backend, scenario.seed, scenario.repetitions) == ("processes", 1, 1)
    assert scenario.groups["a"].leave == Departure(linger=NEVER)


def test_every_key_of_a_scenario_is_read(tmp_path):
    text = LEAST + (
        "\ndescription: why\nnetwork: {latency: 5 ms}\nstop: time\ntimeout: 2 min\nseed: 9\nrepetitions: 3\n"
        "backend: inproc\nmetrics: [goodput]\n"
    )
    scenario = given(tmp_path, text)
    assert (scenario.description, scenario.network.latency, scenario.stop) == ("why", 0.005, "time")
    assert (scenario.timeout, scenario.seed, scenario.repetitions) == (120.0, 9, 3)
    assert (scenario.backend, scenario.metrics) == ("inproc", ("goodput",))
    of_parts = "finished.group.a, median_completion.behaviour.slow, score.sybil"
    assert given(tmp_path, LEAST + f"\nmetrics: [{of_parts}]").metrics == tuple(of_parts.split(", "))
    assert given(tmp_path, LEAST + "\nbackend: sim\nnetwork: {shaped_by: world}").network.shaped_by == "world"


def test_a_tree_is_a_list_of_files(tmp_path):
    scenario = given(tmp_path, "content: {tree: [{files: 10, size: 4 KiB}, {files: 1, size: 1 MiB}]}\n" + SEED)
    assert scenario.content == Content(tree=(Files(10, 4096), Files(1, 2**20)))
    assert scenario.content.bytes == 10 * 4096 + 2**20


def test_every_key_of_a_group_is_read(tmp_path):
    found = group(tmp_path, "up: 2 MiB/s, down: 3 MiB/s, latency: 20 ms, behaviour: oscillator, period: 5 s")
    assert (found.up, found.down, found.latency) == (2 * 2**20, 3 * 2**20, 0.02)
    assert (found.behaviour, found.period) == ("oscillator", 5.0)
    assert group(tmp_path, "arrival: {at: 1 s, poisson: 0.5}").arrival == Arrival(1.0, 0.5)
    assert group(tmp_path, "arrival: {trace: [1 s, 2 s]}").arrival == Arrival(trace=(1.0, 2.0))
    assert group(tmp_path, "leave: {linger: 0 s}").leave == Departure(0.0)
    assert group(tmp_path, "leave: {linger: never, session: 1 min, pause: 9 s}").leave == Departure(NEVER, 60.0, 9.0)
    policies = group(tmp_path, "policies: {picker: random, choker: none, source: rate, reputation: beta}").policies
    assert (policies.picker, policies.choker, policies.source, policies.reputation) == (
        "random", "none", "rate", "beta",
    )  # fmt: skip
    found = group(tmp_path, "settings: {transfer.window: 4 MiB, reputation.alpha: 0.3, security.encryption: false}")
    assert found.settings == {
        "transfer.window": "4 MiB", "reputation.alpha": "0.3", "security.encryption": "false",
    }  # fmt: skip


def test_every_key_of_a_disk_is_read(tmp_path):
    text = LEAST.replace("a: {", "a: {disk: {read: 3 MiB/s, write: 1 MiB/s, hash: 2 MiB/s}, ") + "\nbackend: sim"
    assert given(tmp_path, text).groups["a"].disk == Disk(3 * 2**20, 2**20, 2 * 2**20)


def test_every_key_of_a_failure_is_read(tmp_path):
    text = (
        LEAST + "\nfailures: [{at: 1 s, do: delay, group: a, count: 1, lasts: 2 s, delay: 50 ms},"
        " {at: 2 s, do: cap, peers: [a-1, s-1], rate: 1 KiB/s}]"
    )
    assert given(tmp_path, text).failures == (
        Failure(1.0, "delay", "a", 1, (), 2.0, 0.05),
        Failure(2.0, "cap", peers=("a-1", "s-1"), rate=1024),
    )


GROUP_PROBLEMS = [
    ("up: fast", "groups.a.up: expected a rate"),
    ("latency: -1", "groups.a.latency: expected a duration"),
    ("disk: {read: 1 MiB/s}", "groups.a.disk: expected no rates, real disks are as fast as they are"),
    ("disk: {seek: 5 ms}", "groups.a.disk.seek: unknown key"),
    ("behaviour: evil", "groups.a.behaviour: expected corrupter, free-rider, honest"),
    ("period: 0 s", "groups.a.period: expected a duration"),
    ("behavior: honest", "groups.a.behavior: unknown key; did you mean groups.a.behaviour?"),
    ("arrival: {poisson: 1, trace: [1, 2]}", "groups.a.arrival: expected poisson or trace, found both"),
    ("arrival: {trace: [1]}", "groups.a.arrival.trace: expected a time for each of 2 peers, found 1"),
    ("arrival: {flash: 1}", "groups.a.arrival.flash: unknown key"),
    ("leave: {linger: soon}", "groups.a.leave.linger: expected a duration"),
    ("leave: {session: 1 s}", "groups.a.leave.session: expected leave.pause beside it, found nothing"),
    ("leave: {pause: 1 s}", "groups.a.leave.pause: expected leave.session beside it, found nothing"),
    ("policies: {picker: best}", "groups.a.settings: transfer.picker: expected random, rarest-first or sequential"),
    ("settings: {transfer.pickr: random}", "groups.a.settings: transfer.pickr: unknown key"),
    ("settings: {limits.up: 5}", "groups.a.settings: limits.up: expected a setting that an experiment leaves"),
    ("settings: {transfer.window: [1]}", "groups.a.settings.transfer.window: expected a setting's value"),
]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a map of settings, found nothing"),
        ("- groups", "expected a map of settings, found a list"),
        (SEED, "content: expected either size or tree, found neither"),
        ("content: {}\n" + SEED, "content: expected either size or tree, found neither"),
        ("content: {size: 1, tree: [{files: 1, size: 1}]}\n" + SEED, "content: expected either size or tree"),
        ("content: {tree: [{files: 0, size: 1}]}\n" + SEED, "content.tree[0].files: expected a whole number from 1"),
        ("content: {tree: [{files: 1, size: 0}]}\n" + SEED, "content: expected at least one byte, found none"),
        ("content: {size: 64 Mb}\n" + SEED, "content.size: expected a size"),
        ("content: {size: 1}", "groups: expected a map of names, found nothing"),
        ("content: {size: 1}\ngroups: {a: {peers: 1}}", "groups: expected a group with complete: true"),
        ("content: {size: 1}\ngroups: {s: {peers: 1, complete: true}}", "groups: expected a group of peers that fetch"),
        ("content: {size: 1}\ngroups: {S: {peers: 1}}", "groups: name: expected 1 to 32 of a-z"),
        ("content: {size: 1}\ngroups: {a: {}}", "groups.a.peers: expected a whole number from 1 to 100,000"),
        (LEAST + "\nstop: never", "stop: expected complete or time, found 'never'"),
        (LEAST + "\nbackend: cloud", "backend: expected inproc, processes or sim"),
        (LEAST + "\ntimeout: 0", "timeout: expected a duration"),
        (LEAST + "\nseed: -1", "seed: expected a whole number from 0"),
        (LEAST + "\nrepetitions: 0", "repetitions: expected a whole number from 1"),
        (LEAST + "\ndescription: 5", "description: expected text"),
        (LEAST + "\nnetwork: {shaped_by: world}", "network.shaped_by: expected limits, world only with backend: sim"),
        (
            LEAST + "\nnetwork: {shaped_by: kernel}\nbackend: sim",
            "network.shaped_by: expected limits, kernel only with backend: processes",
        ),
        (LEAST + "\nleechers: 5", "leechers: unknown key"),
        (
            LEAST + "\nmetrics: [goodputt]",
            "metrics: expected the name of a number, found 'goodputt'; did you mean goodput?",
        ),
        (LEAST + "\nmetrics: [goodput, hope]", "found 'hope'; there are finished, median_completion, "),
        (LEAST + "\nmetrics: [finished.group.b]", "found 'finished.group.b'; did you mean finished.group."),
        (LEAST + "\nseed: 1\nseed: 2", "stands twice"),
        (
            "content: {size: 1}\ngroups: {s: {peers: 1, complete: true}, a: {peers: 200}}",
            "groups: expected at most 200 peers, more only with backend: sim, found 201",
        ),
        *(
            (f"content: {{size: 1}}\ngroups: {{s: {{peers: 1, complete: true}}, a: {{peers: 2, {text}}}}}", problem)
            for text, problem in GROUP_PROBLEMS
        ),
        (
            "content: {size: 1}\ngroups: {s: {peers: 1, complete: true}, a: {peers: 3, behaviour: sybil}}",
            "groups.a.peers: expected an even number",
        ),
        (LEAST + "\nfailures: [{at: 1, do: explode, group: a}]", "failures[0].do: expected cap, corrupt, delay, kill"),
        (LEAST + "\nfailures: [{do: kill, group: a}]", "failures[0].at: expected a duration"),
        (LEAST + "\nfailures: [{at: 1, do: kill}]", "failures[0].group: expected either group or peers, found neither"),
        (LEAST + "\nfailures: [{at: 1, do: kill, group: b}]", "failures[0].group: expected one of s, a, found 'b'"),
        (LEAST + "\nfailures: [{at: 1, do: kill, group: a, count: 3}]", "failures[0].count: expected at most the 2"),
        (LEAST + "\nfailures: [{at: 1, do: kill, peers: [a-3]}]", "failures[0].peers: expected GROUP-NUMBER"),
        (LEAST + "\nfailures: [{at: 1, do: delay, group: a}]", "failures[0].delay: expected it with do: delay"),
        (LEAST + "\nfailures: [{at: 1, do: kill, group: a, rate: 5}]", "failures[0].rate: expected it with do: cap"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_file_and_key(tmp_path, text, problem):
    with pytest.raises(ShoalError) as raised:
        given(tmp_path, text)
    assert raised.value.code == ERR_CONFIG
    assert "given.yaml: " in raised.value.message
    assert problem in raised.value.message
    assert "\n" not in raised.value.message


def test_a_scenario_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ShoalError, match=r"nowhere\.yaml: expected a readable file"):
        read_scenario(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_scenario_that_comes_with_the_program_is_right(path):
    assert read_scenario(path).leechers >= 1
