from __future__ import annotations

from bus.events import TransferCompleted
from experiments.metrics.catalogue import quantities
from experiments.metrics.measure import measure
from experiments.metrics.names import NAMES, OF_BEHAVIOURS, OF_PARTS, possible_names
from tests.unit.experiments.hand_made import CAST, downloads, envelope, moved, rejected, sent, tables_of


def test_the_names_are_those_of_the_numbers_that_there_are():
    events = [
        *downloads(),
        envelope("b", 2, rejected("x")),
        envelope("b", 3, sent("x", 100)),
        envelope("x", 6, moved(TransferCompleted, 1000)),
    ]
    names = [quantity.name for quantity in quantities(measure(tables_of(events)))]
    plain = [name for name in names if "." not in name]
    dotted = {name for name in names if "." in name}
    assert plain == list(NAMES)
    assert dotted <= set(possible_names({member.group for member in CAST}, {member.behaviour for member in CAST}))
    assert {name.partition(".")[0] for name in dotted} == {*OF_PARTS, *OF_BEHAVIOURS}
