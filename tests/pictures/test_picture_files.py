"""Picture files: read unchanged, and damaged or unexpected files are refused in one sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from molinv.datasets import pictures
from molinv.datasets.pictures.idx import read_idx
from molinv.datasets.pictures.store import Pictures
from molinv.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared"
RANDOM = np.random.default_rng(0)


def needs(name):
    root = SHARED / name
    return pytest.mark.skipif(not root.is_dir(), reason=f"needs {name} in ../shared")


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def idx(tmp_path):
    """A folder like MNIST's, of 24 and 6 pictures of 5 x 7."""
    for prefix, n, end in (("train", 24, ".gz"), ("t10k", 6, "")):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{end}", RANDOM.integers(0, 256, (n, 5, 7)))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte{end}", np.arange(n) % 10)
    return tmp_path


@pytest.fixture
def cifar(tmp_path):
    inner = tmp_path / "cifar-10-batches-bin"
    inner.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows = RANDOM.integers(0, 256, (4, 3073), dtype=np.uint8)
        rows[:, 0] = range(4)
        rows.tofile(inner / f"{name}.bin")
    return tmp_path


@pytest.fixture
def camvid(tmp_path):
    for part in ("train", "val"):
        for folder in (part, f"{part}annot"):
            (tmp_path / folder).mkdir()
        for i in range(3):
            pixels = RANDOM.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / part / f"{i}.png")
            labels = RANDOM.integers(0, 12, (12, 16), dtype=np.uint8)
            Image.fromarray(labels).save(tmp_path / f"{part}annot" / f"{i}.png")
    return tmp_path


def test_the_default_digits_need_no_files():
    parts = pictures.load("mnist")
    assert {k: len(v) for k, v in parts.items()} == {"train": 4000, "valid": 500, "test": 500}
    together = torch.cat([p.y for p in parts.values()])
    assert together.bincount().tolist() == [500] * 10
    bright = parts["train"].images.float().mean((0, 1))
    assert bright[8:20, 8:20].mean() > 5 * bright[:, :3].mean()  # digits are in the middle
    again, other = pictures.load("mnist")["test"], pictures.load("mnist", seed=1)["test"]
    assert torch.equal(again.images, parts["test"].images)
    assert not torch.equal(other.images, parts["test"].images)


@needs("mnist")
def test_mnist_contains_the_default_digits():
    """Two sources of the same digits must agree in orientation and scale."""
    parts = pictures.load("mnist", root=SHARED / "mnist")
    sizes = {k: len(v) for k, v in parts.items()}
    assert sizes == {"train": 55_000, "valid": 5_000, "test": 10_000}
    known = {p.numpy().tobytes() for part in ("train", "valid") for p in parts[part].images}
    few = pictures.load("mnist")["test"].images
    assert sum(p.numpy().tobytes() in known for p in few) > 0.95 * len(few)


def test_idx_files_packed_and_plain(idx):
    parts = pictures.load("fashion_mnist", root=idx)
    assert {k: len(v) for k, v in parts.items()} == {"train": 22, "valid": 2, "test": 6}
    raw = read_idx(idx / "t10k-images-idx3-ubyte", 3)
    assert torch.equal(parts["test"].images[:, 0], raw)
    assert parts["test"].y.tolist() == list(range(6))
    seen = torch.cat([parts["train"].images, parts["valid"].images])[:, 0]
    every = read_idx(idx / "train-images-idx3-ubyte.gz", 3)
    assert sorted(p.sum() for p in seen) == sorted(p.sum() for p in every)


def test_cifar_records_are_planes(cifar):
    parts = pictures.load("cifar10", root=cifar)
    assert {k: len(v) for k, v in parts.items()} == {"train": 18, "valid": 2, "test": 4}
    raw = np.fromfile(cifar / "cifar-10-batches-bin" / "test_batch.bin", np.uint8)
    assert torch.equal(parts["test"].images[0, 2, 1], torch.from_numpy(raw[1 + 2048 + 32 :][:32]))
    assert parts["test"].y.tolist() == [0, 1, 2, 3]


def test_camvid_folders(camvid):
    parts = pictures.load("camvid", root=camvid)
    assert set(parts) == {"train", "valid"}
    train = parts["train"]
    assert train.images.shape == (3, 3, 12, 16)
    assert train.y.shape == (3, 12, 16)
    assert (train.kind, train.void, len(train.classes)) == ("maps", 11, 11)
    with Image.open(camvid / "train" / "1.png") as file:
        assert torch.equal(train.images[1].permute(1, 2, 0), torch.from_numpy(np.array(file)))
    small = pictures.load("camvid", root=camvid, size=(6, 8))["train"]
    assert small.images.shape == (3, 3, 6, 8)
    means = train.images.float().unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    assert (small.images - means).abs().max() <= 1
    blocks = train.y.unfold(1, 2, 2).unfold(2, 2, 2).flatten(3)
    assert (blocks == small.y[..., None]).any(-1).all()  # labels are not interpolated


@needs("camvid")
def test_the_real_streets_are_the_right_way_up():
    parts = pictures.load("camvid", root=SHARED / "camvid", size=(45, 60))
    assert {k: len(v) for k, v in parts.items()} == {"train": 367, "valid": 101}
    for part in parts.values():
        rows = [
            (part.y == part.classes.index(name)).float().mean((0, 2)) for name in ("sky", "road")
        ]
        assert rows[0][:15].mean() > 10 * rows[0][30:].mean()
        assert rows[1][30:].mean() > 10 * rows[1][:15].mean()
        sky = part.images.float().mean(1)[part.y == 0].mean()
        assert sky > 1.5 * part.images.float().mean()


def spoil_idx(root, what):
    images, labels = root / "t10k-images-idx3-ubyte", root / "t10k-labels-idx1-ubyte"
    match what:
        case "cut short":
            images.write_bytes(images.read_bytes()[:-1])
        case "header":
            images.write_bytes(b"\x00\x00")
        case "other axes":
            images.write_bytes(labels.read_bytes())
        case "count":
            write_idx(labels, np.arange(5))
        case "label":
            write_idx(labels, np.array([0, 1, 2, 3, 4, 12]))
        case "gzip":
            packed = root / "train-images-idx3-ubyte.gz"
            packed.write_bytes(packed.read_bytes()[:-20])
        case "absent":
            labels.unlink()


@pytest.mark.parametrize(
    ("what", "hints"),
    [
        ("cut short", ["t10k-images-idx3-ubyte", "expected 210 bytes", "got 209"]),
        ("header", ["t10k-images-idx3-ubyte", "0000"]),
        ("other axes", ["t10k-images-idx3-ubyte", "3 axes"]),
        ("count", ["t10k-labels-idx1-ubyte", "expected 6 labels", "got 5"]),
        ("label", ["t10k-labels-idx1-ubyte", "0 to 9", "got 12"]),
        ("gzip", ["train-images-idx3-ubyte.gz", "truncated"]),
        ("absent", ["no data in", "t10k-labels-idx1-ubyte"]),
    ],
)
def test_spoilt_idx_files(idx, what, hints):
    spoil_idx(idx, what)
    refused(lambda: pictures.load("mnist", root=idx), hints)


def test_spoilt_cifar(cifar):
    path = cifar / "cifar-10-batches-bin" / "data_batch_3.bin"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    refused(lambda: pictures.load("cifar10", cifar), ["data_batch_3.bin", "12,291 bytes"])
    path.write_bytes(bytes([10]) + data[1:])
    refused(lambda: pictures.load("cifar10", cifar), ["data_batch_3.bin", "0 to 9", "got 10"])
    path.unlink()
    refused(lambda: pictures.load("cifar10", cifar), ["no data in", "data_batch_3.bin"])


def spoil_camvid(root, what):
    labels, picture = root / "valannot" / "1.png", root / "val" / "1.png"
    match what:
        case "size":
            Image.new("L", (15, 12)).save(labels)
        case "count":
            labels.unlink()
        case "label":
            Image.fromarray(np.full((12, 16), 12, np.uint8)).save(labels)
        case "colours":
            Image.new("RGB", (16, 12)).save(labels)
        case "no picture":
            picture.write_bytes(b"not a picture at all")
        case "cut short":
            picture.write_bytes(picture.read_bytes()[:200])
        case "sizes":
            Image.new("RGB", (32, 24)).save(picture)
            Image.new("L", (32, 24)).save(labels)
        case "empty":
            for file in (root / "val").iterdir():
                file.unlink()


@pytest.mark.parametrize(
    ("what", "hints"),
    [
        ("size", ["valannot/1.png", "(12, 16)", "(12, 15)"]),
        ("count", ["val/1.png", "valannot", "3 pictures and 2 label maps"]),
        ("label", ["valannot/1.png", "0 to 10 or 11 (void)", "got 12"]),
        ("colours", ["valannot/1.png", "one byte per pixel", "RGB"]),
        ("no picture", ["cannot decode", "val/1.png"]),
        ("cut short", ["cannot decode", "val/1.png"]),
        ("sizes", ["val/1.png", "(12, 16)", "(24, 32)", "size="]),
        ("empty", ["no data in", "val"]),
    ],
)
def test_spoilt_camvid(camvid, what, hints):
    spoil_camvid(camvid, what)
    refused(lambda: pictures.load("camvid", camvid), hints)


def test_roots_names_and_settings(tmp_path):
    for name, hints in [
        ("camvid", ["camvid", "root="]),
        ("cifar10", ["cifar10", "data_batch_1.bin"]),
        ("camvit", ["did you mean 'camvid'"]),
    ]:
        refused(lambda name=name: pictures.load(name), hints)
    for name in ("mnist", "cifar10", "camvid"):
        refused(lambda name=name: pictures.load(name, tmp_path), ["no data in", str(tmp_path)])
        refused(lambda name=name: pictures.load(name, tmp_path / "no"), ["not a folder"])
    refused(lambda: pictures.load("camvid", tmp_path, sise=(3, 4)), ["'size'"])
    refused(lambda: pictures.load("camvid", tmp_path, size=(0, 4)), ["size", "above 0"])
    refused(lambda: pictures.load("mnist", rotated_within=4.0), ["0 to pi", "4.0"])
    refused(lambda: pictures.load("mnist", colour={"heu": 1.0}), ["did you mean 'hue'"])


def test_pictures_and_labels_that_do_not_fit_are_refused():
    images, classes = torch.zeros(3, 1, 4, 5, dtype=torch.uint8), ("a", "b")
    labels = torch.zeros(3, dtype=torch.int64)
    maps = torch.zeros(3, 4, 5, dtype=torch.uint8)
    assert Pictures(images, labels, classes).kind == "labels"
    assert Pictures(images, maps, classes, 9).kind == "maps"
    assert Pictures(images, torch.zeros(3, 2), classes).kind == "numbers"
    for bad, hint in [
        (lambda: Pictures(images.float(), labels, classes), "expected bytes"),
        (lambda: Pictures(images.expand(3, 2, 4, 5), labels, classes), "1 or 3"),
        (lambda: Pictures(images, labels[:2], classes), "3 pictures and 2 labels"),
        (lambda: Pictures(images[:0], labels[:0], classes), "at least one"),
        (lambda: Pictures(images, maps[:, :3], classes), "differ in size"),
        (lambda: Pictures(images, torch.zeros(3, 3), classes), "differ in size"),
        (lambda: Pictures(images, torch.full((3, 2), torch.nan), classes), "finite"),
        (lambda: Pictures(images, labels - 1, classes, source="here"), "here: .*got -1"),
        (lambda: Pictures(images, maps + 9, classes), "got 9"),
        (lambda: Pictures(images, labels, classes).split(0, train=0.9, valid=0.1), "too few"),
    ]:
        with pytest.raises(InputError, match=hint):
            bad()
    assert Pictures(images, maps + 9, classes, void=9).void == 9


def refused(call, hints):
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert all(hint in text for hint in hints), text
    assert "\n" not in text
