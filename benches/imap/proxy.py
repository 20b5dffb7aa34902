#!/usr/bin/env python3
"""A proxy that makes a line long: proxy.py RTT_MS LISTEN:PORT [LISTEN:PORT ...], on 127.0.0.1 alone.

Half of the round trip is added in each direction. Bandwidth is not limited; at most 16 MiB wait per direction.
"""
import asyncio
import socket
import sys

QUEUE = 16 << 20


async def pump(reader, writer, delay):
    loop, queue, room, held = asyncio.get_running_loop(), asyncio.Queue(), asyncio.Event(), 0

    async def out():
        nonlocal held
        while True:
            due, data = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            held -= len(data)
            room.set()
            await writer.drain()
        try:
            writer.write_eof()
        except OSError:
            pass

    task = asyncio.create_task(out())
    try:
        while True:
            while held > QUEUE:
                room.clear()
                await room.wait()
            data = await reader.read(262144)
            held += len(data)
            queue.put_nowait((loop.time() + delay, data))
            if not data:
                break
    except OSError:
        queue.put_nowait((0, b""))
    try:
        await task
    except OSError:
        pass


async def serve(listen, port, delay):
    async def one(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for side in (writer, far_writer):
            side.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(pump(reader, far_writer, delay), pump(far_reader, writer, delay), return_exceptions=True)
        writer.close()
        far_writer.close()

    return await asyncio.start_server(one, "127.0.0.1", listen, limit=1 << 20)


async def main():
    delay = float(sys.argv[1]) / 2000
    servers = [await serve(*map(int, pair.split(":")), delay) for pair in sys.argv[2:]]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
