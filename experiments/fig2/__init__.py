"""What each layer keeps, against compression: figure 2 of Tanaka et al. 2020."""
