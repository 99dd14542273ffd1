"""Every figure looks as it did, and draws the numbers it drew: compared with what is stored.

The pictures hold shapes only (see picture_cases), so that they are the same wherever matplotlib is:
the tolerance is for the smoothing of edges, and small enough to miss nothing that is drawn.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.testing.compare import compare_images
from picture_cases import HERE, NUMBERS, PICTURES, draw, numbers, plain_settings, save

from kalshi_research import plotting

TOLERANCE = 1.0
"""Root mean square of the difference of two pictures, of 255."""

every_picture = pytest.mark.parametrize("name", PICTURES)


def difference(first: Path, second: Path) -> float:
    one, two = (255 * imread(path)[..., :3].astype(float) for path in (first, second))
    return float(np.sqrt(((one - two) ** 2).mean()))


def test_every_plot_has_a_picture() -> None:
    offered = {name.removeprefix("plot_") for name in plotting.__all__ if name.startswith("plot_")}
    assert offered <= set(PICTURES)
    assert {path.stem for path in HERE.glob("*.png")} == set(PICTURES)
    sources = {name: inspect.getsource(case) for name, case in PICTURES.items()}
    for name in offered:
        assert f"plot_{name}(" in sources[name]


@every_picture
def test_the_figure_looks_as_it_did(name: str, tmp_path: Path) -> None:
    found = tmp_path / f"{name}.png"
    with plain_settings():
        save(draw(name), found)
    problem = compare_images(str(HERE / f"{name}.png"), str(found), tol=TOLERANCE)
    assert problem is None, f"{problem}\nLook, then: python tests/picture_cases.py pictures"


@every_picture
def test_letters_make_no_difference(name: str, tmp_path: Path) -> None:
    """So that no version of FreeType does."""
    found = tmp_path / f"{name}.png"
    with plain_settings():
        mpl.rcParams.update({"font.family": "DejaVu Serif", "text.hinting": "none"})
        save(draw(name), found)
    assert difference(found, HERE / f"{name}.png") <= TOLERANCE


@every_picture
def test_the_figure_draws_the_numbers_it_drew(name: str) -> None:
    expected: list[dict[str, Any]] = json.loads(NUMBERS.read_text(encoding="utf-8"))[name]
    with plain_settings():
        found = numbers(draw(name))
    assert [list(row) for row in found] == [list(row) for row in expected]
    for mine, theirs in zip(found, expected, strict=True):
        for column, value in theirs.items():
            if isinstance(value, float):
                assert mine[column] == pytest.approx(value, rel=1e-6, abs=1e-12, nan_ok=True)
            else:
                assert mine[column] == value


@every_picture
def test_the_tolerance_misses_nothing_that_is_drawn(name: str, tmp_path: Path) -> None:
    """Whatever is taken away, the picture is another one."""
    with plain_settings():
        ax = draw(name)
        rows, tried = len(numbers(ax)), 0
        for artist in [child for one in (ax, *ax.child_axes) for child in one.get_children()]:
            shown = artist.get_visible()
            artist.set_visible(False)
            if len(numbers(ax)) < rows:
                tried += 1
                save(ax, tmp_path / "less.png")
                assert difference(tmp_path / "less.png", HERE / f"{name}.png") > TOLERANCE, artist
            artist.set_visible(shown)
    assert tried == rows
