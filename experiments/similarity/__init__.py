"""How alike pruned and dense networks see images after training, layer by layer."""
