"""What the library costs, compared with hand-written `aiohttp` and the official clients: `python -m benchmarks`."""
