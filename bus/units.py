"""Sizes, rates and durations as people write them, and as the program holds them.

Inside the program a size is an int of bytes, a rate an int of bytes a second, a duration a float of seconds; text
appears only at the edges (configuration, command line, page, logs), and only here.

Units are written exactly: `MB` is 10^6 bytes and `MiB` 2^20, and `Mb`, which elsewhere means megabits, is refused
rather than guessed.  Source of the binary prefixes: IEC 80000-13.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

MAX_SIZE: Final = 2**63 - 1
"""Bytes; what a file offset and an SQLite integer can hold."""
MAX_DURATION: Final = 100 * 365 * 86400.0
"""Seconds, 100 years: longer ones are mistakes."""
UNLIMITED: Final = 0
"""The rate that stands for no limit."""

_BINARY: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_DECIMAL: Final = {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_SIZES: Final = {unit: Fraction(count) for unit, count in (_BINARY | _DECIMAL).items()}
_RATES: Final = {f"{unit}/s": count for unit, count in _SIZES.items()}
_DURATIONS: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_QUANTITY: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?) ?([A-Za-z/]*)")

_A_SIZE: Final = "a size such as 64 KiB, 10 MiB or 1 GB, or a whole number of bytes"
_A_RATE: Final = "a rate such as 10 MiB/s, a whole number of bytes a second, or unlimited"
_A_DURATION: Final = "a duration such as 500 ms, 90 s, 5 min, 1 h or 7 d, or a number of seconds"


def parse_size(value: object) -> int:
    """Bytes of `64 KiB`, `1.5 GiB`, `500 kB` or a plain number of bytes.

    Raises:
        ValueError: says what was expected and what was found.
    """
    return _whole(_measure(value, _SIZES, _A_SIZE), value, _A_SIZE)


def parse_rate(value: object) -> int:
    """Bytes a second of `10 MiB/s`, a plain number, or `unlimited`, which is 0.

    Raises:
        ValueError: says what was expected and what was found.
    """
    if value == "unlimited":
        return UNLIMITED
    return _whole(_measure(value, _RATES, _A_RATE), value, _A_RATE)


def parse_duration(value: object) -> float:
    """Seconds of `500 ms`, `90 s`, `5 min`, `1 h`, `7 d` or a plain number of seconds.

    Raises:
        ValueError: says what was expected and what was found.
    """
    seconds = float(_measure(value, _DURATIONS, _A_DURATION))
    if seconds > MAX_DURATION:
        raise unexpected(f"{_A_DURATION}; at most 100 years", value)
    return seconds


def format_size(size: float) -> str:
    """`1.5 MiB` for a size in bytes, rounded to a tenth of the largest unit that it fills."""
    unit = next((unit for unit, count in _BINARY.items() if round(size / count, 1) < 1024), "PiB")
    return f"{_tenths(size / _BINARY[unit])} {unit}"


def format_rate(rate: float) -> str:
    """`1.5 MiB/s` for a measured rate in bytes a second."""
    return f"{format_size(rate)}/s"


def format_limit(rate: int) -> str:
    """A rate limit in bytes a second: as `format_rate`, and `unlimited` for 0."""
    return "unlimited" if rate == UNLIMITED else format_rate(rate)


def format_duration(seconds: float) -> str:
    """`1.5 h` for a duration in seconds, rounded to a tenth of the largest unit that it fills."""
    if seconds == 0:
        return "0 s"
    fill = [unit for unit, length in _DURATIONS.items() if round(seconds / float(length), 1) >= 1]
    unit = fill[-1] if fill else "ms"
    return f"{_tenths(seconds / float(_DURATIONS[unit]))} {unit}"


def unexpected(expected: str, found: object) -> ValueError:
    """The error for a value that is not what it should be, on one line and as a user would write it."""
    if found is None:
        shown = "nothing"
    elif isinstance(found, bool):
        shown = str(found).lower()
    elif isinstance(found, dict | list | tuple):
        shown = "a map" if isinstance(found, dict) else "a list"
    else:
        shown = repr(found)
    return ValueError(f"expected {expected}, found {shown if len(shown) <= 60 else shown[:60] + '...'}")


def _measure(value: object, units: dict[str, Fraction], expected: str) -> Fraction:
    """The exact amount in base units."""
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value.strip())
        if match is None or (match[2] and match[2] not in units):
            raise unexpected(expected, value)
        return Fraction(match[1]) * units.get(match[2], 1)
    # bool is an int to Python; the comparison is false for NaN too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise unexpected(expected, value)
    return Fraction(value)


def _whole(amount: Fraction, value: object, expected: str) -> int:
    if amount.denominator != 1 or amount > MAX_SIZE:
        raise unexpected(f"{expected}; whole, and under 8 EiB", value)
    return int(amount)


def _tenths(amount: float) -> str:
    return f"{amount:.1f}".removesuffix(".0")
