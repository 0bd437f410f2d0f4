"""The tests themselves cannot reach anybody."""

import socket

import pytest


def test_a_connection_that_leaves_this_machine_fails() -> None:
    with socket.socket() as link, pytest.raises(AssertionError, match="reached for the network"):
        link.connect(("192.0.2.1", 80))
