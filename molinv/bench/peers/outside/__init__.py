"""What runs in the environment of a peer: torch, numpy and its package, and no molinv."""
