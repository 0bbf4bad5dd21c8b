"""Lie derivatives: how fast a network's output changes along each generator, layer by layer.

derivatives.py  derivatives of a function of molecules
forward.py      forward-mode differentiation of networks
differences.py  finite differences, as a check and as a replacement
hidden.py       assumed actions of rotations inside a network
stages.py       the stages of a network, and hooks on them
flow.py         the parts of a derivative that come from each stage
layers.py       report section: the layers
section.py      report section: the whole network
"""
