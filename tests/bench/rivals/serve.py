"""One process of uvicorn with a listening socket of its own; as many as are started share the port (SO_REUSEPORT, socket(7)).

The workers of `uvicorn --workers` share one socket, and the one that wakes first takes all connections that are there: of 32
that a client opens at once the other mostly had none, so that one process was measured instead of two."""
import os
import socket
import sys

import uvicorn

sys.path.insert(0, os.getcwd())
loop, http, backlog = sys.argv[1:]
# asyncio sets TCP_NODELAY where the protocol is said; without, each answer of two writes waits 40 ms for an acknowledgement.
listener = socket.socket(proto=socket.IPPROTO_TCP)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
config = uvicorn.Config("main:app", loop=loop, http=http, backlog=int(backlog), access_log=False)
uvicorn.Server(config).run(sockets=[listener])
