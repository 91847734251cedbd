"""Kernels that are measured against the library's before they may replace them."""
