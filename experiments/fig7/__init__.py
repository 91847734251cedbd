"""How much a round may cut: the largest prune size over cut size, by schedule and rounds.

Figure 7 of Tanaka et al. 2020. For each round of SynFlow the
prune size is the summed score of all weights that the round cuts, in whatever layer; the cut size
is the summed score of any one layer before it, the flow. Drawn is the largest ratio of the two over
the rounds. While it's below 1 no layer can collapse (theorem 3 there). That the published numbers
add up all layers shows where one round is taken: 15.4 of 19 layers' flow at a compression of 1,000.
"""
