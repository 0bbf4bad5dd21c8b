"""molinv: learnable distributions over symmetry groups, trained jointly with the network."""

__version__ = "0.1.0"
