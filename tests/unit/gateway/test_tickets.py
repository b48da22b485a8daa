"""Tickets let who has them read one content for an hour."""

from __future__ import annotations

import pytest

from bus.errors import ShoalError
from gateway.tickets import LIFETIME, Tickets

CONTENT, OTHER = "c" * 64, "d" * 64


class Clock:
    now = 1_700_000_000.5

    def __call__(self) -> float:
        return self.now


def test_a_ticket_holds_for_its_content_until_it_expires():
    clock = Clock()
    tickets = Tickets("t" * 64, clock)
    ticket, expires = tickets.make(CONTENT)
    assert expires == int(clock.now) + LIFETIME
    clock.now = expires - 0.1
    tickets.check(CONTENT, ticket)
    clock.now = expires
    with pytest.raises(ShoalError, match="ERR_TOKEN: the ticket has expired"):
        tickets.check(CONTENT, ticket)


def test_a_ticket_outlives_the_process_that_made_it_and_not_its_token():
    ticket, _ = Tickets("t" * 64).make(CONTENT)
    Tickets("t" * 64).check(CONTENT, ticket)
    with pytest.raises(ShoalError, match="ERR_TOKEN"):
        Tickets("u" * 64).check(CONTENT, ticket)


@pytest.mark.parametrize("forge", [
    lambda ticket: ticket.replace(".", "0."),
    lambda ticket: f"{int(ticket.partition('.')[0]) + 1}.{ticket.partition('.')[2]}",
    lambda ticket: ticket[:-1],
    lambda ticket: ticket + "\u00e9",
    lambda ticket: "." + ticket,
    lambda ticket: f"{'9' * 5000}.{ticket}",
    lambda ticket: "-1." + ticket,
    lambda ticket: "",
])  # fmt: skip
def test_a_forged_ticket_is_refused(forge):
    tickets = Tickets("t" * 64)
    ticket, _ = tickets.make(CONTENT)
    with pytest.raises(ShoalError, match="ERR_TOKEN"):
        tickets.check(CONTENT, forge(ticket))
    with pytest.raises(ShoalError, match="ERR_TOKEN"):
        tickets.check(OTHER, ticket)
