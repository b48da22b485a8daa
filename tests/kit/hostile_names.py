"""Two hundred names that a file may have and nobody should believe, by kind; and some that no file of ours may have.

A name that is taken for anything but text does harm that a test can see: what looks like a script sets `window.broken`.
No name holds a slash, so none closes an element; pages are told of such names by a stand-in peer.
"""

from __future__ import annotations

from typing import Final

BROKEN: Final = "window.broken"
"""What every script among the names sets."""
_SET: Final = "window.broken=1"


def _filled(letters: str, end: str = "") -> str:
    """255 bytes, or as many as whole letters fill, of which `end` is the last."""
    room = 255 - len(end.encode())
    return letters * (room // len(letters.encode())) + end


KINDS: Final[dict[str, tuple[str, ...]]] = {
    "markup": (
        f"<script>{_SET}<script>", f"<script>{_SET};<!--", f"<SCRIPT>{_SET}", f"<scr<script>ipt>{_SET}",
        f"<script async src=data:text;{_SET}>", f"<script type=module>{_SET}", f"<script\u00a0>{_SET}",
        f"<img src=x onerror={_SET}>", f"<IMG SRC=x ONERROR={_SET}>", f"<img src onerror='{_SET}'>",
        f'<img src="x" onerror="{_SET}">', f"<img src=`x`onerror={_SET}>", f"<image src=x onerror={_SET}>",
        f"<svg onload={_SET}>", f"<svg><script>{_SET}", f"<svg><animate onbegin={_SET} attributeName=x dur=1s>",
        f"<math><mtext><script>{_SET}", f"<body onload={_SET}>", f"<input autofocus onfocus={_SET}>",
        f"<select autofocus onfocus={_SET}>", f"<details open ontoggle={_SET}>", f"<video><source onerror={_SET}>",
        f"<audio src=x onerror={_SET}>", f"<marquee onstart={_SET}>", f"<iframe srcdoc='<script>{_SET}'>",
        f"<iframe src=javascript:{_SET}>", f"<object data=javascript:{_SET}>", f"<embed src=javascript:{_SET}>",
        f"<a href=javascript:{_SET} autofocus>click", f"<form action=javascript:{_SET}><button>go",
        f"<template><script>{_SET}", f"<noscript><img src=x onerror={_SET}>", f"<style onload={_SET}>*{{}}",
        "<style>*{display:none}", "<link rel=stylesheet href=x>", "<base href=x>",
        "<meta http-equiv=refresh content=0>",
        "<!--", "-->", "<![CDATA[x]]>", "<plaintext>", "<textarea>", "<title>x", "<b>bold<i>both", "<h1>huge",
        "&lt;b&gt;", "&amp;&#x3c;&#60;", "&lt", f"<x onpointerover={_SET} style=position:fixed;inset:0>",
    ),
    "attributes": (
        f'" onfocus={_SET} autofocus x="', f"' onfocus={_SET} autofocus x='", f'"><img src=x onerror={_SET}>',
        f"'><img src=x onerror={_SET}>", f"` onfocus={_SET} x=`", f'" style="position:fixed;inset:0" onclick="{_SET}',
        '" hidden "', "' disabled='", '"', "'", "`", "\"'`<>&",
    ),
    "links": (
        f"javascript:{_SET}", f"JaVaScRiPt:{_SET}", f"java\u200bscript:{_SET}", f"data:text,<script>{_SET}",
        f"vbscript:{_SET}", "http:example.invalid", "mailto:x@example.invalid?subject=x", "shoal:", "shoal:0?name=x",
        f"shoal:{'e' * 64}?name=other", "#token=0", "?token=0&x=1",
    ),
    "templates": (
        "{@html '<b>x'}", "{#if true}", f"{{{_SET}}}", f"{{{{{_SET}}}}}", f"${{{_SET}}}", f"<%= {_SET} %>",
        f"#{{{_SET}}}",
        "{{7*7}}", "${7*7}", "{% raw %}", "{0.__class__}", "{self.__init__.__globals__}", "$(document)", "[[x]]",
        "*[href]{display:none}", "\\u003cscript\\u003e", "\\x3cimg src=x\\x3e", "$&$`$'$1",
    ),
    "properties": (
        "__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "valueOf", "isPrototypeOf",
        "__defineGetter__", "undefined", "null", "NaN", "true", "Infinity", "length", "[object Object]", "self",
    ),
    "programs": (
        "$(touch broken)", "`touch broken`", "; touch broken", "| touch broken", "& touch broken", "&& touch broken",
        "-rf", "--help", "~", "~root", "*", "?", "!!", "%s%s%s%s%n", "%d%x%p", "%00", "%2e%2e%2f",
        "%0d%0aSet-Cookie: x=1",
        "' OR '1'='1", "'; DROP TABLE contents; --", "\" OR 1=1 --", "Robert'); --", "NEAR(a b)", "a* OR b*", "^a",
        "=1+1", "=cmd|'x'!A0", "@SUM(1+1)", "+1", "\\", "..\\..\\x", "C:x", "CON", "nul.txt", "file.txt::$DATA",
    ),
    "directions": (
        "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd.exe",
        "abc \u05d0\u05d1\u05d2 123.txt",
        "\u200fexe.txt", "\u200etxt.exe", "\u061cfdp.exe", "(\u05d0) [\u05d1] <\u05d2>", "\u05d0" * 60, "\u202fnarrow",
    ),
    "invisible": (
        "\u200b", "\ufeffmark.txt", "zero\u200bwidth", "join\u200der", "non\u200cjoiner", "soft\u00adhy\u00adphen",
        "word\u2060joiner",
        "\u3164", "\u2800", "\u00a0", "line\u2028paragraph\u2029end", "\U000e0001\U000e0061tag",
        "\ufff9x\ufffb",
        "Z\u0351\u036b\u0343a\u0322l\u034dgo", "e" + "\u0301" * 60, "\u0301leading", "\u0338\u20dd", "A\u030a",
        "\u00c5", "\u212b",
    ),
    "pictures": (
        "\U0001f41f", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea\U0001f1eb",
        "\u2764\ufe0f\u2764\ufe0e", "\U0001f44d\U0001f3ff", "\ufdfd", "\U00012031", "\ufffd", "\U0010fffd", "\ue000",
    ),
    "long": (
        "x" * 255, _filled("xy ", "z"), _filled("W"), _filled("\u00e4", "x"), _filled("\u4e2d"), _filled("\U0001f41f",
        "xyz"),
        _filled("<b>"), _filled("\u0301", "."), _filled("\u05d0", "x"), _filled("a\u200b", "zzz"), _filled("-"),
    ),
    "dots and spaces": (
        " ", ".hidden", "...", "....", "trailing.", "trailing ", " leading", "  two  spaces  ",
    ),
}  # fmt: skip

NAMES: Final = tuple(name for names in KINDS.values() for name in names)

REFUSED: Final = {
    "new\nline": "U+000A", "tab\there": "U+0009", "\x01start": "U+0001", "escape\x1b[31mred": "U+001B",
    "carriage\rreturn": "U+000D", "delete\x7f": "U+007F", "next\x85line": "U+0085", "csi\x9b31m": "U+009B",
    "invoice\u202efdp.exe": "U+202E", "\u202dforced": "U+202D", "\u202aembedded": "U+202A", "\u202bembedded": "U+202B",
    "popped\u202c": "U+202C", "\u2066isolated": "U+2066", "\u2067isolated": "U+2067", "\u2068first\u2069": "U+2068",
}  # fmt: skip
"""Names that are never taken, with what the refusal names."""
