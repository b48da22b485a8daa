"""A fleet that ends early."""

from __future__ import annotations

import pytest

from bus.sockets import make_socket
from experiments.fleet import Fleet


@pytest.mark.timeout(30)
def test_an_interrupt_in_the_making_of_a_socket_does_not_keep_the_fleet_from_its_end(tmp_path, monkeypatch):
    fleet = Fleet(tmp_path, 1)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(fleet.context), "_add_socket", interrupted)
        with pytest.raises(KeyboardInterrupt) as raised:
            make_socket(fleet.context, "control-client")
    fleet.close_clients()
    assert raised.traceback  # which has the socket still
