"""molinv's convolution against e3nn's tensor product, and the order of components."""

import torch
from e3nn import o3

from molinv import models
from molinv.models.convolution import Convolution, Couplings, paths


def test_convolutions_are_those_of_e3nn():
    """Against o3.TensorProduct on every pair, in e3nn's layout (channel, then component)."""
    torch.manual_seed(0)
    n, channels, degree = 4, 8, 2
    used = paths((0, 1, 2), degree, (0, 1, 2))
    assert len(used) == 11
    irreps = o3.Irreps("8x0e + 4x1o + 2x2e")
    out = o3.Irreps([(channels >> i, (k, (-1) ** k)) for i, _, k in used])
    product = o3.TensorProduct(
        irreps,
        o3.Irreps.spherical_harmonics(degree),
        out,
        [(i, j, place, "uvu", True) for place, (i, j, _) in enumerate(used)],
        shared_weights=False,
        path_normalization="none",
    ).double()
    convolution = Convolution(used, channels, 5).double()
    couplings = Couplings(degree, used).double()
    unit = torch.nn.functional.normalize(torch.randn(1, n, n, 3).double(), dim=-1)
    envelope, radial = torch.rand(1, n, n, 1).double(), torch.randn(1, n, n, 5).double()
    h = {k: torch.randn(1, n, 2 * k + 1, channels >> k).double() for k in range(3)}
    got = convolution(h, radial, couplings(unit, envelope))
    flat = torch.cat([h[k].mT.flatten(2) for k in range(3)], -1)
    harmonics = o3.spherical_harmonics([0, 1, 2], unit, False, "component") * envelope
    weights = torch.cat([weight(radial) for weight in convolution.weights], -1)
    want = product(flat[:, None].expand(-1, n, -1, -1), harmonics, weights).sum(2)
    want = dict(enumerate(want.split([mul * ir.dim for mul, ir in out], -1)))
    for k in range(3):
        parts = [
            want[place].unflatten(-1, (channels >> used[place][0], 2 * k + 1)).mT
            for place in range(len(used))
            if used[place][2] == k
        ]
        assert torch.allclose(got[k], torch.cat(parts, -1), atol=1e-6)


def test_degree_one_is_x_y_z_and_degree_two_a_traceless_tensor():
    r = torch.nn.functional.normalize(torch.randn(1, 5, 5, 3), dim=-1)
    from_scalars = Couplings(2, [(0, 1, 1), (0, 2, 2)])(r, torch.ones(1, 5, 5, 1))
    vector = from_scalars[0, 1, 1].unflatten(3, (5, 1))[..., 0].transpose(2, 3)
    assert torch.allclose(vector, 3**0.5 * r, atol=1e-5)
    five = from_scalars[0, 2, 2].transpose(2, 3)
    cartesian = models.find("equivariant")(output="tensor").get_buffer("cartesian")
    tensor = torch.einsum("ijm,bnkm->bnkij", cartesian, five)
    traceless = r[..., :, None] * r[..., None, :] - torch.eye(3) / 3
    ratio = (tensor * traceless).sum() / traceless.square().sum()
    assert ratio > 1
    assert torch.allclose(tensor, ratio * traceless, atol=1e-5)
