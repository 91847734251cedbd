"""All methods side by side, and whether it's the mask that counts or the densities of its layers:
each mask is shuffled within layers too (Frankle et al. 2021, arXiv:2009.08576; Su et al. 2020,
arXiv:2009.11094).
"""
