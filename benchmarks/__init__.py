"""What the library costs, beside `aiohttp` written by hand and the official clients: `python -m benchmarks`."""
