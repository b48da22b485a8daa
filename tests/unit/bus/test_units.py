from __future__ import annotations

import math

import pytest

from bus.units import (
    format_duration,
    format_limit,
    format_rate,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)

SIZES = [
    (0, 0),
    (65536, 65536),
    (1.0, 1),
    ("0", 0),
    ("65536", 65536),
    ("7 B", 7),
    ("64 KiB", 65536),
    ("64KiB", 65536),
    ("  64 KiB ", 65536),
    ("10 MiB", 10485760),
    ("1 GiB", 1073741824),
    ("1.5 GiB", 1610612736),
    ("2 TiB", 2199023255552),
    ("1 PiB", 1125899906842624),
    ("1 kB", 1000),
    ("1 KB", 1000),
    ("0.5 MB", 500000),
    ("1 GB", 10**9),
    ("1.000000001 GB", 10**9 + 1),
    ("1 TB", 10**12),
    ("1 PB", 10**15),
    ("9223372036854775807", 2**63 - 1),
]

RATES = [
    (0, 0),
    ("0", 0),
    ("unlimited", 0),
    ("0 MiB/s", 0),
    (1000, 1000),
    ("1000", 1000),
    ("1000 B/s", 1000),
    ("10 MiB/s", 10485760),
    ("10MiB/s", 10485760),
    ("1.5 KiB/s", 1536),
    ("1 kB/s", 1000),
]

DURATIONS = [
    (0, 0.0),
    (2, 2.0),
    (0.25, 0.25),
    ("2", 2.0),
    ("500 ms", 0.5),
    ("250ms", 0.25),
    ("90 s", 90.0),
    ("0.1 s", 0.1),
    ("5 min", 300.0),
    ("1 h", 3600.0),
    ("1.5 h", 5400.0),
    ("7 d", 604800.0),
]

A_SIZE = "expected a size such as 64 KiB, 10 MiB or 1 GB, or a whole number of bytes"
A_RATE = "expected a rate such as 10 MiB/s, a whole number of bytes a second, or unlimited"
A_DURATION = "expected a duration such as 500 ms, 90 s, 5 min, 1 h or 7 d, or a number of seconds"

REFUSED = [
    (parse_size, "", f"{A_SIZE}, found ''"),
    (parse_size, "many", f"{A_SIZE}, found 'many'"),
    (parse_size, "KiB", f"{A_SIZE}, found 'KiB'"),
    (parse_size, "10 Mb", f"{A_SIZE}, found '10 Mb'"),
    (parse_size, "10M", f"{A_SIZE}, found '10M'"),
    (parse_size, "64 kib", f"{A_SIZE}, found '64 kib'"),
    (parse_size, "10 MiB/s", f"{A_SIZE}, found '10 MiB/s'"),
    (parse_size, "5 s", f"{A_SIZE}, found '5 s'"),
    (parse_size, "-1", f"{A_SIZE}, found '-1'"),
    (parse_size, "+1", f"{A_SIZE}, found '+1'"),
    (parse_size, "1e6", f"{A_SIZE}, found '1e6'"),
    (parse_size, "0x10", f"{A_SIZE}, found '0x10'"),
    (parse_size, "1_000", f"{A_SIZE}, found '1_000'"),
    (parse_size, "1,5 GiB", f"{A_SIZE}, found '1,5 GiB'"),
    (parse_size, "٣ KiB", f"{A_SIZE}, found '٣ KiB'"),
    (parse_size, "1 2", f"{A_SIZE}, found '1 2'"),
    (parse_size, "1  KiB", f"{A_SIZE}, found '1  KiB'"),
    (parse_size, -1, f"{A_SIZE}, found -1"),
    (parse_size, True, f"{A_SIZE}, found true"),
    (parse_size, None, f"{A_SIZE}, found nothing"),
    (parse_size, [1], f"{A_SIZE}, found a list"),
    (parse_size, {}, f"{A_SIZE}, found a map"),
    (parse_size, math.nan, f"{A_SIZE}, found nan"),
    (parse_size, math.inf, f"{A_SIZE}, found inf"),
    (parse_size, "1.5", f"{A_SIZE}; whole, and under 8 EiB, found '1.5'"),
    (parse_size, 1.5, f"{A_SIZE}; whole, and under 8 EiB, found 1.5"),
    (parse_size, "0.1 KiB", f"{A_SIZE}; whole, and under 8 EiB, found '0.1 KiB'"),
    (parse_size, "8192 PiB", f"{A_SIZE}; whole, and under 8 EiB, found '8192 PiB'"),
    (parse_size, 2**63, f"{A_SIZE}; whole, and under 8 EiB, found 9223372036854775808"),
    (parse_size, "9" * 100, f"{A_SIZE}, found '{'9' * 59}..."),
    (parse_rate, "10 MiB", f"{A_RATE}, found '10 MiB'"),
    (parse_rate, "10 MiB / s", f"{A_RATE}, found '10 MiB / s'"),
    (parse_rate, "10 MiB/min", f"{A_RATE}, found '10 MiB/min'"),
    (parse_rate, "10/s", f"{A_RATE}, found '10/s'"),
    (parse_rate, "Unlimited", f"{A_RATE}, found 'Unlimited'"),
    (parse_rate, "none", f"{A_RATE}, found 'none'"),
    (parse_rate, -1, f"{A_RATE}, found -1"),
    (parse_rate, False, f"{A_RATE}, found false"),
    (parse_rate, "0.5 B/s", f"{A_RATE}; whole, and under 8 EiB, found '0.5 B/s'"),
    (parse_duration, "", f"{A_DURATION}, found ''"),
    (parse_duration, "5 m", f"{A_DURATION}, found '5 m'"),
    (parse_duration, "5 sec", f"{A_DURATION}, found '5 sec'"),
    (parse_duration, "1 h 30 min", f"{A_DURATION}, found '1 h 30 min'"),
    (parse_duration, "1:30", f"{A_DURATION}, found '1:30'"),
    (parse_duration, "64 KiB", f"{A_DURATION}, found '64 KiB'"),
    (parse_duration, -0.5, f"{A_DURATION}, found -0.5"),
    (parse_duration, math.inf, f"{A_DURATION}, found inf"),
    (parse_duration, "36501 d", f"{A_DURATION}; at most 100 years, found '36501 d'"),
]


@pytest.mark.parametrize(("text", "expected"), SIZES)
def test_size_is_read_to_the_byte(text, expected):
    size = parse_size(text)
    assert (size, type(size)) == (expected, int)


@pytest.mark.parametrize(("text", "expected"), RATES)
def test_rate_is_read_to_the_byte_a_second(text, expected):
    rate = parse_rate(text)
    assert (rate, type(rate)) == (expected, int)


@pytest.mark.parametrize(("text", "expected"), DURATIONS)
def test_duration_is_read_in_seconds(text, expected):
    duration = parse_duration(text)
    assert (duration, type(duration)) == (expected, float)


@pytest.mark.parametrize(("parse", "text", "expected"), REFUSED)
def test_what_is_no_quantity_is_refused_with_what_was_expected_and_found(parse, text, expected):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  its whole text is compared
        parse(text)
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1048524, "1023.9 KiB"),
        (1048575, "1 MiB"),
        (10485760, "10 MiB"),
        (12345678, "11.8 MiB"),
        (2**30, "1 GiB"),
        (2**40, "1 TiB"),
        (2**63 - 1, "8192 PiB"),
    ],
)
def test_size_is_written_in_the_largest_unit_that_it_fills(size, expected):
    assert format_size(size) == expected


def test_measured_rate_of_nothing_is_not_an_unlimited_one():
    assert (format_rate(0), format_limit(0)) == ("0 B/s", "unlimited")
    assert (format_rate(1536), format_limit(1536)) == ("1.5 KiB/s", "1.5 KiB/s")
    assert format_rate(0.4) == "0.4 B/s"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.25, "250 ms"),
        (0.9999, "1 s"),
        (20, "20 s"),
        (59.96, "1 min"),
        (90, "1.5 min"),
        (3600, "1 h"),
        (86400, "1 d"),
        (604800, "7 d"),
    ],
)
def test_duration_is_written_in_the_longest_unit_that_it_fills(seconds, expected):
    assert format_duration(seconds) == expected


@pytest.mark.parametrize("exponent", range(51))
def test_what_is_written_reads_back_within_the_tenth_that_is_shown(exponent):
    for size in (2**exponent, 3 * 2**exponent, 2**exponent + 2 ** max(exponent - 3, 0)):
        # 1.1 MiB is no whole number of bytes and would be refused, so the unit is read by itself.
        text, unit = format_size(size).split()
        assert float(text) * parse_size(f"1 {unit}") == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize("seconds", [0.001, 0.5, 1, 59, 61, 3599, 3600, 90000, 604800, 1e8])
def test_written_duration_reads_back_within_the_tenth_that_is_shown(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=0.05)
