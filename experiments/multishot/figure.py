"""How the numbers of cycles look in the figure."""

from experiments.method_table import Style

# From dark to light with the number of cycles, which the color-blind see too.
COLORS = ("#440154", "#3B528B", "#21918C", "#5EC962", "#D9C02B")
STYLES = {
    f"{cycles}": Style(f"{cycles} cycle" + "s" * (cycles > 1), COLORS[(cycles - 1) % 5], marker)
    for cycles, marker in zip(range(1, 11), "os^Dv<>pPX", strict=True)
}
