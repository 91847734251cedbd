"""What devices exchange, read from compiled HLO."""

import math
import re
from collections import Counter

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_CALL = re.compile(rf" = (.*?) ({'|'.join(KINDS)})(-start)?\(")
_ARRAY = re.compile(r"\b(pred|[a-z]+(\d+)[a-z0-9]*)\[([\d,]*)\]")


def exchanged(hlo: str) -> Counter[str]:
    """Bytes of the results of all collectives by kind, each counted once wherever it stands.

    What stands in a loop is exchanged as often as that goes round. An asynchronous collective
    names its operands and results, of which the largest counts.
    """
    found: Counter[str] = Counter()
    for result, kind, start in _CALL.findall(hlo):
        sizes = [_bytes(*each) for each in _ARRAY.findall(result)]
        found[kind] += max(sizes) if start else sum(sizes)
    return found


def _bytes(name: str, bits: str, shape: str) -> int:
    elements = math.prod(int(size) for size in shape.split(",") if size)
    return elements * (1 if name == "pred" else math.ceil(int(bits) / 8))
