"""The score that enters each hidden unit against the score that leaves it.

Figure 3 of Tanaka et al. 2020, on an untrained network.
SynFlow conserves: what enters a unit leaves it. A unit is a channel of a convolution or an output
of a dense layer; the scores of its incoming weights and those of its outgoing weights are summed.
"""
