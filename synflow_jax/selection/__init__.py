"""Exactly the k highest scores over many arrays, without sorting or joining them.

The scores are read as unsigned integers of the same order, their order-preserving bits, and the
k-th largest integer is searched for between two bounds. A pass over all arrays counts how many
integers are at least as large as each of seven pivots, and the tightest bounds of all enclose the
k-th. Passes go on until exactly k integers are at least the lower bound, or until the upper bound
is the next integer; then the lower is the k-th itself, and of scores that equal it the first are
kept.

For example the three highest of eight scores, with bits from 0 to 255:

    position        0    1    2    3    4    5    6    7
    bits           23  181   64  150  150    7  150   98

    bounds        0, which 8 of them reach, and 256, which none reaches
    pivots 1       34   66   98  130  162  194  226
    at least        6    5    5    4    1    0    0     bounds 130 and 162, since 4 >= 3 > 1
    pivots 2      134  138  142  146  150  154  158
    at least        4    4    4    4    4    1    1     bounds 150 and 154
    pivots 3      151  152  153  154  155  156  157
    at least        1    1    1    1    1    1    1     bounds 150 and 151, nothing is between

The third largest is 150. One number is larger, so of those that equal it two are kept, the first
ones: in all, positions 1, 3 and 4. For the two highest only position 3 would be kept beside 1. For
the four highest the first pass would be the last, since exactly four numbers are at least 130.

Of large arrays the first pivots lie around the number of the same rank in a sample, and later ones
around where the k-th is if the numbers between the bounds are spread evenly. Where numbers turn out
uneven, the pivots are spread evenly over the range. The last thousand numbers or fewer are
collected from the arrays and searched alone.

A pass reads all scores once, in time linear in their number, and writes nothing of their size.
For 15 to 70 million scores of a network it takes about two passes, besides the sample and the one
that collects. It never takes more than about 40 for numbers of 32 bits, since every second pass at
least leaves less than a third of the range. On several devices only counts are exchanged.

The parts: `ordered_bits`; `two_words`, counts beyond int32; `counting`, a pass; `search`, bounds
and pivots; `lanes`, the last few numbers; `kth`, the whole search; `ties`, the first of equal
numbers; `joining`, of small arrays; `reductions`, and those of each of `layers`; `top_k`, what is
public; `groups`, what is ranked together; `budgets`, whole numbers of weights for layers that keep
different parts, by their shapes (`densities`, `igq`) or where they stand (`by_depth`, `ordered`);
`weighted`, scores that weigh something, for `blocks`; `n_m`; `applied`, the counts of any
selection. Nothing outside of the package imports more than what is named below.

Sources: dividing numbers by their bits, from the highest on, is radix exchange (Knuth, The Art of
Computer Programming, volume 3, section 5.2.2), of which a search follows one part only. Pivots near
the k-th by way of a sample are from Floyd and Rivest 1975, "Expected time bounds for selection"
(SELECT). Alabi et al. 2012, "Fast k-selection algorithms for graphics processing units", compare a
radix search with one by buckets: evenly spread pivots, between two of which the next are spread.
"""

from synflow_jax.selection.applied import counts_of as counts_of
from synflow_jax.selection.applied import on_device as on_device
from synflow_jax.selection.blocks import block_top_k as block_top_k
from synflow_jax.selection.by_depth import smart_ratio as smart_ratio
from synflow_jax.selection.by_depth import uniform_plus as uniform_plus
from synflow_jax.selection.densities import erdos_renyi as erdos_renyi
from synflow_jax.selection.densities import erdos_renyi_kernel as erdos_renyi_kernel
from synflow_jax.selection.groups import global_top_k as global_top_k
from synflow_jax.selection.groups import kept_counts as kept_counts
from synflow_jax.selection.groups import local_top_k as local_top_k
from synflow_jax.selection.igq import igq as igq
from synflow_jax.selection.joining import joined as joined
from synflow_jax.selection.joining import parted as parted
from synflow_jax.selection.joining import starts_of as starts_of
from synflow_jax.selection.layers import count_of_each as count_of_each
from synflow_jax.selection.layers import largest_of_each as largest_of_each
from synflow_jax.selection.n_m import n_m_top_k as n_m_top_k
from synflow_jax.selection.ordered import in_order as in_order
from synflow_jax.selection.reductions import count as count
from synflow_jax.selection.top_k import kth_highest as kth_highest
from synflow_jax.selection.top_k import of_one_type as of_one_type
from synflow_jax.selection.top_k import top_k as top_k
from synflow_jax.selection.two_words import TwoWordCount as TwoWordCount
from synflow_jax.selection.two_words import two_words as two_words
