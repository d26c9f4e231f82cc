"""Plain bytes on loopback in, mutual TLS out: for tools that have no client certificate of their own.

Run as a program it prints its port and serves until its standard input ends.
"""

import asyncio
import os
import re
import ssl
import subprocess
import sys

# A tool repeats its headers word for word; a repeated key would be answered as the repetition that it is not.
KEY = re.compile(rb"(?i)(idempotency-key: )auto\b")


class Bridge:
    """The program as a process of its own: 5,000 connections must not wait for the harness."""

    def __init__(self, premises, party: str) -> None:
        certificate, key = premises.certificate(party)
        command = [sys.executable, __file__, str(premises.port), certificate, key]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


async def serve(port: int, certificate: str, key: str) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    # The gateway is this run's own, on loopback; who it is has been checked before.
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ahead, behind = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        except (OSError, ssl.SSLError):
            writer.close()
            return
        pumps = [asyncio.create_task(pump(reader, behind)), asyncio.create_task(pump(ahead, writer))]
        # As soon as one side ends, so does the other.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pumps:
            task.cancel()
        for side in (behind, writer):
            side.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    # Connections that are still open are nobody's any more: no task is wound up for them.
    os._exit(0)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(KEY.sub(lambda found: found.group(1) + os.urandom(16).hex().encode(), data))
            await writer.drain()
    except (OSError, ssl.SSLError):
        return


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
