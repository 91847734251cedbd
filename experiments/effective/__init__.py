"""What masks claim to keep, and what of it lies on paths from input to output."""
