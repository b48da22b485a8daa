from __future__ import annotations

from ipaddress import ip_network

import pytest

from tracker.core.addresses import MAX_LISTED, MAX_LISTED_BYTES, Place, listed_endpoints, place_of, reach_of

LOCAL, LOCAL6 = "127.0.0.1", "::1"
LAN, OTHER_LAN, HOME, PUBLIC = "192.168.1.5", "10.1.0.5", "203.0.113.7", "198.51.100.9"
OWN = ("192.168.1.20", "10.9.9.9", "fd00::20", "127.0.0.1", "203.0.113.7", "fe80::1")
FORWARDED = ("shoal.example.org:7000", "[2001:db8::9]:7001")


@pytest.mark.parametrize(
    ("seen", "asker", "listed"),
    [
        # The address seen comes first, then those of the asker's private range.
        (LAN, LAN, ["tcp://192.168.1.5:4000", "tcp://192.168.1.20:4000"]),
        (LAN, OTHER_LAN, ["tcp://192.168.1.5:4000", "tcp://10.9.9.9:4000"]),
        (LAN, PUBLIC, ["tcp://192.168.1.5:4000"]),
        (LAN, LOCAL, ["tcp://192.168.1.5:4000"]),
        (LAN, "fd12::1", ["tcp://192.168.1.5:4000", "tcp://[fd00::20]:4000"]),
        (HOME, PUBLIC, ["tcp://203.0.113.7:4000"]),
        (HOME, LAN, ["tcp://203.0.113.7:4000", "tcp://192.168.1.20:4000"]),
        ("2001:db8::5", PUBLIC, ["tcp://[2001:db8::5]:4000"]),
        ("::ffff:203.0.113.7", PUBLIC, ["tcp://203.0.113.7:4000"]),
        # Two behind one router are both seen at its address, which often cannot be dialled from inside.
        (
            HOME,
            HOME,
            ["tcp://203.0.113.7:4000", "tcp://192.168.1.20:4000", "tcp://10.9.9.9:4000", "tcp://[fd00::20]:4000"],
        ),
        # Seen on loopback: it runs beside the tracker, and the asker knows that machine's name.
        (LOCAL, LOCAL, ["tcp://@tracker:4000"]),
        (LOCAL6, LOCAL, ["tcp://@tracker:4000"]),
        (LOCAL, LAN, ["tcp://@tracker:4000", "tcp://192.168.1.20:4000"]),
        (LOCAL, PUBLIC, ["tcp://@tracker:4000"]),
    ],
)
def test_what_an_asker_is_told_of_a_peer_that_listens_everywhere(seen: str, asker: str, listed: list[str]):
    reach = reach_of(4000, False, (), OWN)
    assert list(listed_endpoints(reach, place_of(seen), place_of(asker))) == listed


@pytest.mark.parametrize(
    ("seen", "asker", "listed"),
    [
        (LOCAL, LOCAL, ["tcp://@tracker:4000"]),
        (LOCAL, LOCAL6, ["tcp://@tracker:4000"]),
        (LOCAL, LAN, []),
        (LOCAL, PUBLIC, []),
        (LAN, LAN, []),
        (LAN, LOCAL, []),
    ],
)
def test_a_peer_bound_to_loopback_is_listed_only_on_its_own_machine(seen: str, asker: str, listed: list[str]):
    reach = reach_of(4000, True, FORWARDED, OWN)
    assert list(listed_endpoints(reach, place_of(seen), place_of(asker))) == listed


@pytest.mark.parametrize(
    ("seen", "asker", "listed"),
    [
        (
            LAN,
            LAN,
            [
                "tcp://192.168.1.5:4000",
                "tcp://shoal.example.org:7000",
                "tcp://[2001:db8::9]:7001",
                "tcp://192.168.1.20:4000",
            ],
        ),
        (LOCAL, PUBLIC, ["tcp://@tracker:4000", "tcp://shoal.example.org:7000", "tcp://[2001:db8::9]:7001"]),
    ],
)
def test_advertised_addresses_come_second_with_their_own_port(seen: str, asker: str, listed: list[str]):
    reach = reach_of(4000, False, FORWARDED, OWN)
    assert list(listed_endpoints(reach, place_of(seen), place_of(asker))) == listed


def test_a_peer_that_listens_nowhere_is_listed_with_what_it_advertises():
    reach = reach_of(0, False, ("shoal.example.org:7000",), OWN)
    assert listed_endpoints(reach, place_of(LAN), place_of(LAN)) == ("tcp://shoal.example.org:7000",)


@pytest.mark.parametrize("loopback_name", ["127.0.0.1:7000", "localhost:7000", "[::1]:7000"])
def test_an_advertised_loopback_address_is_for_the_same_machine_only(loopback_name: str):
    reach = reach_of(0, False, (loopback_name,), ())
    assert listed_endpoints(reach, place_of(LOCAL), place_of(LOCAL)) == (f"tcp://{loopback_name}",)
    assert listed_endpoints(reach, place_of(LOCAL), place_of(LAN)) == ()
    assert listed_endpoints(reach, place_of(LAN), place_of(LOCAL)) == ()


def test_an_endpoint_is_listed_once():
    reach = reach_of(4000, False, ("192.168.1.5:4000",), (LAN,))
    assert listed_endpoints(reach, place_of(LAN), place_of(LAN)) == ("tcp://192.168.1.5:4000",)


def test_a_peer_cannot_fill_an_answer():
    many = reach_of(4000, False, tuple(f"h{n}.example.org:1" for n in range(24)), ())
    long = reach_of(4000, False, tuple(f"{'h' * 250}{n}:1" for n in range(24)), ())
    assert len(listed_endpoints(many, place_of(LAN), place_of(LAN))) == MAX_LISTED
    assert sum(map(len, listed_endpoints(long, place_of(LAN), place_of(LAN)))) <= MAX_LISTED_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "", "host", "host:", ":1", "host:0", "host:65536", "host:1:2", "ho st:1", "host:1\n", "2001:db8::9:1",
        "[host]:1", "[]:1", "-host:1", "host-:1", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1", "@tracker:1",
        "a/b:1", "ho\0st:1",
    ],
)  # fmt: skip
def test_what_is_no_host_and_port_cannot_be_advertised(text: str):
    with pytest.raises(ValueError, match=r"network\.advertise"):
        reach_of(4000, False, (text,), ())


@pytest.mark.parametrize("text", ["", "host", "192.168.1.1:4000", "192.168.1", "[fd00::1]"])
def test_what_is_no_ip_address_is_no_interface_address(text: str):
    with pytest.raises(ValueError, match="interface address"):
        reach_of(4000, False, (), (text,))


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.8.0.1", Place("127.8.0.1", "loopback", "127.8.0.1/32", "127.8.0.0/24", exempt=True)),
        ("::1", Place("::1", "loopback", "::/64", "::/56", exempt=False)),
        ("192.168.7.9", Place("192.168.7.9", "192.168.0.0/16", "192.168.7.9/32", "192.168.7.0/24", exempt=False)),
        ("172.20.1.1", Place("172.20.1.1", "172.16.0.0/12", "172.20.1.1/32", "172.20.1.0/24", exempt=False)),
        ("100.64.0.1", Place("100.64.0.1", "100.64.0.0/10", "100.64.0.1/32", "100.64.0.0/24", exempt=False)),
        ("8.8.8.8", Place("8.8.8.8", "", "8.8.8.8/32", "8.8.8.0/24", exempt=False)),
        (
            "2001:db8:1:2ff:3::4",
            Place("2001:db8:1:2ff:3::4", "", "2001:db8:1:2ff::/64", "2001:db8:1:200::/56", exempt=False),
        ),
        ("::ffff:127.0.0.1", Place("127.0.0.1", "loopback", "127.0.0.1/32", "127.0.0.0/24", exempt=True)),
        ("peer-7", Place("peer-7", "", "peer-7", "peer-7", exempt=False)),
    ],
)
def test_what_an_address_says_about_where_somebody_is(address: str, place: Place):
    assert place_of(address, (ip_network("127.0.0.0/8"),)) == place
