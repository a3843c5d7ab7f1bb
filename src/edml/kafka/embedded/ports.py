"""Ports of this machine: free ones, and who holds the others."""

import socket

import psutil

HOST = "127.0.0.1"
HIGHEST_PORT = 65535


def is_free(port: int) -> bool:
    """Give back whether we could listen on ``port`` of this machine."""
    with socket.socket() as probe:
        # As the servers do: a port of connections that have just ended is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """Give back a port, chosen by the system, that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def next_free_port(port: int) -> int:
    """Give back the first free port from ``port`` on."""
    return next(candidate for candidate in range(port, HIGHEST_PORT + 1) if is_free(candidate))


def holder(port: int) -> str:
    """Say who listens on ``port``, as far as we may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "another program"
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.pid is None:
            continue
        if connection.laddr and connection.laddr.port == port:
            return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another program"
