"""A case of a database that is away: what its server is like, how the trouble comes and goes."""

import contextlib
import dataclasses
import typing


@dataclasses.dataclass
class Case:
    """trouble(server, daemon): a context, in which the database is away.

    `says`: what the alarm has to say of the cause; that it names the host is looked at for all.
    """
    trouble: typing.Callable
    says: str
    server: typing.Callable         # a context that gives the server, or skips


@contextlib.contextmanager
def made(server):
    """The server's data are there, and it runs; it goes with all that is its."""
    try:
        yield server.make()
    finally:
        server.remove()
