"""Ports of this machine: free ones, and who holds the others."""

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """Give back a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
