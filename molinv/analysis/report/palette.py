"""The colours of a report, light and dark.

Adjacent series differ for all three kinds of colour blindness, and each has a contrast of at least
3 with its background. Scales are even in lightness: viridis for values of one sign, two hues about
a neutral middle near the background for values of both signs.
"""

from __future__ import annotations

_COLORS = {  # light, dark
    "page": ("#f7f7f5", "#0f1216"),
    "surface": ("#ffffff", "#171b21"),
    "raised": ("#f0f2f4", "#1f252d"),
    "text": ("#1a2027", "#e6e9ed"),
    "muted": ("#5a6572", "#9ba6b4"),
    "rule": ("#dfe3e8", "#2c333d"),
    "grid": ("#e9ecef", "#262d36"),
    "accent": ("#0b5cab", "#86c1f7"),
    "warn": ("#9a4d00", "#f0b060"),
    "series-1": ("#0b5cab", "#86c1f7"),
    "series-2": ("#d07a2e", "#f0924c"),
    "series-3": ("#179c80", "#74ecc4"),
    "series-4": ("#941f7c", "#c45cbc"),
    "series-5": ("#5f4406", "#e5cf4a"),
    "series-6": ("#8c1238", "#f05a7a"),
    "diverging": (
        "#16437e #3f7fc1 #9cc3e6 #f4f4f2 #f0b98a #cc6a26 #7c3405",
        "#b9dcff #6aaeea #2f689f #20252c #8f4f22 #dd8a48 #ffd6b0",
    ),
    "sequential": (
        "#440154 #46327e #365c8d #277f8e #1fa187 #4ac16d #a0da39 #fde725",
        "#440154 #46327e #365c8d #277f8e #1fa187 #4ac16d #a0da39 #fde725",
    ),
}
LIGHT, DARK = ({name: pair[i] for name, pair in _COLORS.items()} for i in (0, 1))

SERIES = 6  # number of colours; further series repeat them with another dash and marker
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "diamond", "square", "triangle-up")


def series(i: int) -> str:
    """The name of the i-th series' colour."""
    return f"series-{i % SERIES + 1}"


def scale(low: float, high: float) -> tuple[str, float, float]:
    """The scale for values from low to high, and its ends.

    For values of both signs, the middle of "diverging" is at zero.
    """
    if low < 0 < high:
        end = max(-low, high)
        return "diverging", -end, end
    return ("sequential", low, high) if high > low else ("sequential", low - 0.5, high + 0.5)


def css(theme: dict[str, str]) -> str:
    """A theme as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in theme.items())
