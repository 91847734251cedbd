"""What every command shares: options, a run's folder, cells that are kept, rows, an ending."""
