import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from minigan.studio import plot

SHADES = (0.0, 0.5, 1.0)


def frames():
    return [plot.grid(np.full((1, 1, 8, 8), v), range=(0, 1)) for v in SHADES]


def shade(data):
    """The grey in the middle of a picture in base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))[20, 20] / 255


def test_the_frames_are_in_the_page_in_their_order():
    page = plot.player(frames(), ["a", "b<b>", "c"], seconds=0.5)._repr_html_()
    pictures = json.loads(re.search(r"const frames = (\[.*?\]);", page)[1])
    assert [shade(p) for p in pictures] == pytest.approx(SHADES, abs=0.01)
    assert json.loads(re.search(r"const captions = (\[.*?\]);", page)[1]) == ["a", "b<b>", "c"]
    assert "<b>" not in page and ", 500);" in page
    assert 'max="2"' in page


def test_without_scripts_the_last_frame_is_seen():
    page = re.sub(r"<script>.*?</script>", "", plot.player(frames())._repr_html_(), flags=re.S)
    (still,) = re.findall(r'<img src="data:image/png;base64,([^"]+)"', page)
    assert shade(still) == 1
    assert "<div hidden" in page and "3 of 3" in page


def test_nothing_comes_from_outside_and_nothing_is_random():
    page = plot.player(frames())._repr_html_()
    assert "http" not in page and "url(" not in page and not re.search(r"<(script|link) \w", page)
    assert page == plot.player(frames())._repr_html_()
    names = {re.search(r'data-film="(\w+)"', plot.player(f)._repr_html_())[1]
             for f in (frames(), frames()[:2], frames()[::-1])}  # fmt: skip
    assert len(names) == 3


def test_figures_can_be_frames():
    figure = plot.new_figure(1, 1)
    assert plot.player([figure])._repr_html_() == plot.player([figure])._repr_html_()
    assert repr(plot.player([figure])) == "a film of 1 frames"


def test_a_film_without_frames_or_with_too_few_captions_is_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        plot.player([])
    with pytest.raises(ValueError, match="3 frames need as many captions, got 1"):
        plot.player(frames(), ["a"])
