"""What devices exchange: sizes from compiled HLO, and from the profiler how often each is run."""

import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from jax.profiler import ProfileData

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_CALL = re.compile(rf"%([\w.-]+) = (.*?) ({'|'.join(KINDS)})(-start)?\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+(\d+)[a-z0-9]*)\[([\d,]*)\]")


def exchanged(hlo: str, times: Mapping[str, float]) -> Counter[str]:
    """Bytes of the results of all collectives by kind.

    An asynchronous collective names its operands and results, of which the largest counts.

    Args:
        hlo: compiled.
        times: how often each instruction runs, by name; those that aren't there don't.
    """
    found: Counter[str] = Counter()
    for name, result, kind, start in _CALL.findall(hlo):
        sizes = [_bytes(*each) for each in _ARRAY.findall(result)]
        found[kind] += round(times.get(name, 0) * (max(sizes) if start else sum(sizes)))
    return found


def _bytes(name: str, bits: str, shape: str) -> int:
    elements = math.prod(int(size) for size in shape.split(",") if size)
    return elements * (1 if name == "pred" else math.ceil(int(bits) / 8))


def runs(call: Callable[[], Any]) -> Counter[str]:
    """How often ``call`` runs each instruction, by name, all devices together."""
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            jax.block_until_ready(call())
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = ProfileData.from_file(str(file)).planes
        return Counter(event.name for p in planes for line in p.lines for event in line.events)
