"""Iterative magnitude pruning with rewinding: more cycles move the collapse to higher compression.

Figure 5a of Tanaka et al. 2020.
"""
