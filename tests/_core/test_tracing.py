"""Traces and metrics by OpenTelemetry's instrumentation of aiohttp, as docs/observability.md shows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import frozen
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from kellyapi import KellyAPI, Sandbox


@frozen
class Telemetry:
    """What was measured."""

    tracers: TracerProvider
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def requests(self) -> list[ReadableSpan]:
        """The spans of the requests of clients."""
        return [span for span in self.exporter.get_finished_spans() if span.kind.name == "CLIENT"]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    exporter, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=tracers, meter_provider=MeterProvider([reader]))
    try:
        yield Telemetry(tracers, exporter, reader)
    finally:
        instrumentor.uninstrument()


async def test_each_request_is_a_span_within_the_span_of_the_user(telemetry: Telemetry) -> None:
    tracer = telemetry.tracers.get_tracer("test")
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        sandbox.fail_next(status=503)
        with tracer.start_as_current_span("hello") as own:
            await api.khaya.languages("translation")
            async with api.skytells.chat.stream("gpt-5", "Hello") as stream:
                await stream.finish()
    found = [(span.attributes or {}).get("http.status_code") for span in telemetry.requests]
    assert found == [503, 200, 200]
    assert [span.status.status_code for span in telemetry.requests] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
        StatusCode.UNSET,
    ]
    parents = {span.parent and span.parent.span_id for span in telemetry.requests}
    assert parents == {own.get_span_context().span_id}


async def test_the_durations_of_requests_are_measured(telemetry: Telemetry) -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        await api.khaya.languages("translation")
        await api.khaya.voices()
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    (point,) = metric.data.data_points
    assert (metric.name, getattr(point, "count", None)) == ("http.client.duration", 2)


async def test_no_key_is_in_a_span(telemetry: Telemetry) -> None:
    async with Sandbox(keep_engines=True) as sandbox, KellyAPI("the-secret-key", sandbox.urls["kelly"]) as api:
        await api.kelly.models("sd")
    (span,) = telemetry.requests
    assert "the-secret-key" not in span.to_json()
