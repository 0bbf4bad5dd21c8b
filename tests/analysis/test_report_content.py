"""Numbers, names and axes as a reader sees them."""

import pytest

from molinv.analysis.report.content import logarithmic, show
from molinv.analysis.section import Chart, Series, plain


def test_logarithmic_axes_leave_out_what_they_cannot_show():
    s = Series("s", [0.0, 1.0, 2.0], [0.0, 2.0, -1.0], [-1.0, 0.5, -2.0], [1.0, 3.0, -0.5])
    (made,) = logarithmic(Chart("c", "", "", "", [s], log_x=True, log_y=True)).series
    assert plain(made.x) == [None, 1.0, 2.0]
    assert plain(made.y) == [None, 2.0, None]
    assert (made.low, made.high) == ([0.5, 0.5, 0.5], [1.0, 3.0, 0.5])
    linear = Chart("c", "", "", "", [s])
    assert logarithmic(linear) is linear


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (1234.5678, "1,230"),
        (-0.012345, "\N{MINUS SIGN}0.0123"),
        (1.5e-7, "1.50 · 10⁻⁷"),
        (12_345, "12,345"),
        (True, "yes"),
        (None, "\N{EN DASH}"),
        (float("inf"), "\N{EN DASH}"),
        ([1.5, 2], "1.5 to 2"),
        ("<b>", "<b>"),
    ],
)
def test_numbers_have_three_digits(value, shown):
    assert show(value) == shown
