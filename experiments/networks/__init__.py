"""The networks of the experiments, by name."""

from experiments.networks.create import create_network as create_network
