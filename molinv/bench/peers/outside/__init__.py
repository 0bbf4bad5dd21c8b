"""Code that runs in a peer's environment, with torch, numpy and the package, but without molinv."""
