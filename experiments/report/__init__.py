"""One HTML page of many runs: figures, tables and configurations, with nothing to load."""
