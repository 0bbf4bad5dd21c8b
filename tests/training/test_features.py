"""Features as inputs of every model that takes them, on real molecules."""

import numpy as np
import pytest
import torch

from molinv import groups, models
from molinv.chem.graph import ATOM_SIZE, PAIR_SIZE, graph_of_smiles
from molinv.chem.smiles import from_smiles
from molinv.chem.structure import ReadOptions, Structure
from molinv.datasets.features import parse, sizes
from molinv.errors import InputError
from molinv.prediction.batches import pad

NAMES = ("bonds", "state", "geometry")
TAKING = [name for name in models.available() if models.make(name, 2, {}).widths is not None]


def structures(*smiles: str) -> list[Structure]:
    found = [from_smiles(s, s, "test", ReadOptions()) for s in smiles]
    assert all(isinstance(s, Structure) for s in found)
    return found  # pyright: ignore[reportReturnType]


def filled(name: str):
    """A model with random weights of the features, which are initially 0."""
    torch.manual_seed(0)
    model = models.make(name, 2, {})
    model.set_features(sizes(NAMES))
    assert model.known is not None
    for weight in model.known.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model.double().eval()


def outputs(model, batch) -> torch.Tensor:
    batch.pos = batch.pos.double()
    batch.features = batch.features.to(torch.float64)
    return model(*model.inputs(batch))


def test_models_that_take_features_are_known():
    assert {"point", "painn", "equivariant", "graph"} <= set(TAKING)
    with pytest.raises(InputError, match="leave out --features"):
        models.make("schnet", 1, {}).set_features(sizes(NAMES))


@pytest.mark.parametrize("name", TAKING)
def test_features_start_without_an_effect(name):
    torch.manual_seed(0)
    plain = models.make(name, 2, {}).eval()
    taking = models.make(name, 2, {}).eval()
    taking.load_state_dict(plain.state_dict())
    taking.set_features(sizes(NAMES))
    batch = pad(structures("CC(=O)O", "c1ccncc1"), features=NAMES)
    assert torch.equal(plain(*plain.inputs(batch)), taking(*taking.inputs(batch)))


@pytest.mark.parametrize("name", TAKING)
def test_bonds_are_seen_where_positions_are_the_same(name):
    model = filled(name)
    benzene = structures("c1ccccc1")[0]
    other = graph_of_smiles("C1CCCCC1")
    assert other is not None
    n = len(benzene.z)
    assert benzene.graph is not None
    changed = benzene.graph._replace(pairs=other.pairs[:n, :n])
    from dataclasses import replace

    both = pad([benzene, replace(benzene, graph=changed)], features=NAMES)
    first, second = outputs(model, both)
    assert (first - second).abs().max() > 1e-6


@pytest.mark.parametrize("name", TAKING)
def test_padding_and_order_of_atoms_change_nothing(name):
    from dataclasses import replace

    model = filled(name)
    acid, ring = structures("CC(=O)O", "c1ccncc1")
    order = np.random.default_rng(0).permutation(len(acid.z))
    assert acid.graph is not None
    graph = acid.graph._replace(
        atoms=acid.graph.atoms[order], pairs=acid.graph.pairs[order][:, order]
    )
    mixed = replace(acid, z=acid.z[order], pos=acid.pos[order], graph=graph)
    alone = outputs(model, pad([acid], features=NAMES))[0]
    beside = outputs(model, pad([mixed, ring], features=NAMES))[0]
    assert torch.allclose(alone, beside, atol=1e-9)


@pytest.mark.parametrize("name", TAKING)
def test_symmetries_hold_with_features(name):
    model = filled(name)
    if "SO3" not in model.symmetries:
        pytest.skip("rotations are not built in")
    batch = pad(structures("CC(=O)O", "c1ccncc1"), features=NAMES)
    before = outputs(model, batch)
    g = groups.SO3().haar(1, generator=torch.Generator().manual_seed(0))[0].double()
    batch.pos = batch.pos @ g.mT
    assert torch.allclose(before, outputs(model, batch), atol=1e-8)


def test_unknown_features_are_zero():
    from dataclasses import replace

    acid = replace(structures("CC(=O)O")[0], graph=None)
    ring = structures("c1ccncc1")[0]
    features = pad([acid, ring], features=("bonds",)).features
    assert features is not None
    assert features.atoms.shape[-1] == ATOM_SIZE
    assert features.pairs.shape[-1] == PAIR_SIZE
    assert not features.atoms[0].any()
    assert not features.pairs[0].any()
    assert features.atoms[1].any(-1).sum() == len(ring.z)
    assert features.pairs[1].any(-1).sum() == len(ring.z) ** 2
    alone = pad([acid], features=("bonds",)).features  # no structure of the batch has bonds
    assert alone is not None
    assert alone.atoms.shape == (1, len(acid.z), ATOM_SIZE)
    assert not alone.atoms.any()
    assert not alone.pairs.any()


def test_an_unknown_feature_suggests_the_nearest():
    assert parse("bonds, state,bonds") == ("bonds", "state")
    with pytest.raises(InputError, match="bonds"):
        parse("bond")


@pytest.mark.parametrize("name", TAKING)
def test_totals_keep_their_digits_in_half_precision(name):
    torch.manual_seed(0)
    model = models.make(name, 2, {})
    torch.nn.init.constant_(model.read[-1].bias, 20.0)  # energies are far from 0
    batch = pad(structures("CC(=O)O", "c1ccncc1", "CCO", "CCN"))
    whole = model(*model.inputs(batch))
    with torch.autocast("cpu", torch.bfloat16):
        half = model(*model.inputs(batch))
    assert half.dtype == torch.float32
    assert (half - whole).abs().max() < 0.02  # near 20, bfloat16 has steps of 0.125
