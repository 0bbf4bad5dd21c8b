"""Lie derivatives: how fast a network's output changes along each generator, layer by layer.

derivatives.py  of a function of molecules
forward.py      forward-mode differentiation of whole networks
differences.py  a check by finite differences
hidden.py       how a rotation is assumed to act inside a network
stages.py       the stages of a network, tapped by hooks
flow.py         where a derivative comes from, stage by stage
layers.py       the layers' part of the report
section.py      the report's section
"""
