"""The embedded broker: speaks the Kafka protocol on a loopback port, for one machine.

protocol/      bytes to requests, answers to bytes
handlers/      a request's answer, one function per API
topics/        names, configurations, the catalogue
log/           record batches in segment files (or memory)
groups/        membership and committed offsets
transactions/  who writes in which transaction, and how it ends
broker.py      the core that holds them; pure: requests and times in, answers out
server.py      asyncio around the core
launch.py      the broker as a process of its own, shared by the programs of a folder
upkeep.py      retention, compaction and expiry, from time to time
"""

from millstream.broker.launch import EmbeddedBroker

__all__ = ["EmbeddedBroker"]
