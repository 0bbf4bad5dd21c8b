"""Power spectrum and bispectrum of irreps: invariant, and what each of them sees."""

import pytest
import torch

from molinv import InputError, groups, models, testing
from molinv.actions import Invariant, Points, Vector
from molinv.groups.wigner import wigner_d
from molinv.models.spectra import Spectra

CHANNELS, DEGREE = 16, 3


def signal():
    generator = torch.Generator().manual_seed(0)
    return {
        l: torch.randn(2, 4, 2 * l + 1, CHANNELS >> l, generator=generator).double()
        for l in range(DEGREE + 1)
    }


def turned(x, seed, degrees=(1, 2, 3)):
    """The signal with some of its degrees rotated."""
    g = groups.SO3().double().haar(1, torch.Generator().manual_seed(seed)).double()
    d = wigner_d(g, DEGREE)
    return {l: d[l][0] @ part if l in degrees else part for l, part in x.items()}


@pytest.mark.parametrize("kind", ["power", "bispectrum"])
def test_no_rotation_or_reflection_changes_a_spectrum(kind):
    spectrum, x = Spectra(kind, DEGREE, CHANNELS).double(), signal()
    here = spectrum(x)
    assert here.shape == (2, 4, spectrum.size)
    for seed in range(5):
        assert torch.allclose(spectrum(turned(x, seed)), here, atol=1e-6)  # of e3nn's symbols
    inverted = {l: part * (-1) ** l for l, part in x.items()}
    assert torch.allclose(spectrum(inverted), here, atol=1e-12)
    assert not torch.allclose(spectrum({l: 1.1 * part for l, part in x.items()}), here, atol=1e-2)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_the_bispectrum_tells_apart_signals_of_the_same_power(degree):
    x = signal()
    other = turned(x, 0, (degree,))
    power, bispectrum = (Spectra(kind, 3, CHANNELS).double() for kind in ("power", "bispectrum"))
    assert torch.allclose(power(x), power(other), atol=1e-12)
    assert float((bispectrum(x) - bispectrum(other)).abs().max()) > 0.1


def test_the_number_of_values():
    assert Spectra("none", 2, 16).size == 0
    assert Spectra("power", 2, 16).size == 8 + 4
    assert Spectra("bispectrum", 2, 16).size == 8 + 4 + 4 + 4  # (1, 1, 2) and (2, 2, 2)
    with pytest.raises(InputError, match="did you mean 'power'"):
        Spectra("powr", 2, 16)


@pytest.mark.parametrize("kind", ["power", "bispectrum"])
@pytest.mark.parametrize("output", ["scalar", "vector", "atom vector", "irreps 0e + 3o"])
def test_the_model_stays_equivariant_and_reads_the_spectrum(kind, output):
    settings = {"channels": 16, "layers": 2, "degree": 3, "spectrum": kind}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = models.make("equivariant", 1, settings, output).double().eval()
    pos = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1)).double()
    z = torch.tensor([[6, 1, 1, 8, 1]] * 4)
    if not output.startswith("irreps"):
        action = Invariant() if output == "scalar" else Vector()
        for group in (groups.O3(), groups.T(3)):
            testing.check_equivariant(net, group, Points(), action, pos, z, tolerance=1e-5)
    here = net(pos, z)
    first = net.read[1]  # pyright: ignore
    with torch.no_grad():
        first.weight[:, 16:] = 0
    assert first.weight.shape[1] == 16 + net.spectra.size  # pyright: ignore
    assert float((net(pos, z) - here).abs().max().detach()) > 1e-6
