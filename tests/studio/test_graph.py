import itertools
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import minigan as mg
from minigan.studio import graph as module
from minigan.zoo import dcgan

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def built_in_layout(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


def example():
    x, w = mg.tensor(3.0, requires_grad=True), mg.tensor(-2.0, requires_grad=True)
    return x, w, (w * x + x**2) * x


def boxes(graph):
    """(left, top, right, bottom) of every box."""
    found = []
    for rect in ET.fromstring(graph.svg).iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        found.append((x, y, x + w, y + h))
    return found


def test_values_and_gradients_are_shown():
    x, w, y = example()
    root = ET.fromstring(mg.plot.graph(y, {"x": x, "w": w}).svg)
    words = [t.text for t in root.iter(f"{SVG}text")]
    assert words[:3] == ["x", "value 3", "grad 15"]
    assert {"w", "value -2", "grad 9", "y = mul", "v2 = pow", "value 9"} <= set(words)


def test_one_box_per_tensor_and_one_arrow_per_use():
    *_, y = example()
    found = mg.plot.graph(y)
    assert len(found.boxes) == len(boxes(found)) == 6
    paths = [p for p in ET.fromstring(found.svg).iter(f"{SVG}path") if p.get("marker-end")]
    assert len(found.arrows) == len(paths) == 7


def test_boxes_do_not_overlap_and_inputs_stand_above():
    d = dcgan.discriminator((1, 8, 8), 4)
    found = mg.plot.graph(d(mg.randn(2, 1, 8, 8)).sum(), d)
    for a, b in itertools.combinations(boxes(found), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    place = dict(zip(found.boxes, boxes(found), strict=True))
    assert all(place[a][3] < place[b][1] for a, b in found.arrows)


def test_a_long_way_beside_a_short_one():
    x = mg.tensor(1.0, requires_grad=True)
    short = mg.exp(x)
    found = mg.plot.graph(mg.exp(mg.exp(mg.exp(x))) + short)
    place = dict(zip(found.boxes, boxes(found), strict=True))
    assert all(place[a][3] < place[b][1] for a, b in found.arrows)


def test_everything_lies_inside_of_the_picture():
    d = dcgan.discriminator((1, 8, 8), 4)
    found = mg.plot.graph(d(mg.randn(2, 1, 8, 8)).sum(), d)
    left, top, wide, high = map(float, ET.fromstring(found.svg).get("viewBox").split())
    for box in boxes(found):
        assert box[0] >= left and box[1] >= top
        assert box[2] <= left + wide and box[3] <= top + high


def test_what_is_not_a_number_has_no_gradients():
    x = mg.tensor(np.ones((3, 4)), requires_grad=True)
    found = mg.plot.graph(x * 2)
    assert "grad" not in found.svg and "(3, 4)" in found.svg


def test_a_lone_leaf():
    assert len(boxes(mg.plot.graph(mg.tensor(1.0, requires_grad=True)))) == 1


def test_names_are_escaped():
    x = mg.tensor(1.0, requires_grad=True)
    assert "a&lt;b" in mg.plot.graph(x * 2, {"a<b": x}).svg


def test_saving_and_showing(tmp_path):
    *_, y = example()
    found = mg.plot.graph(y)
    found.save(tmp_path / "y.svg")
    assert (tmp_path / "y.svg").read_text() == found.svg == found._repr_svg_()
    with pytest.raises(ValueError, match="saved as an .svg file"):
        found.save(tmp_path / "y.png")


def test_graphviz_serves_where_it_is(monkeypatch):
    seen = {}

    class Done:
        returncode, stdout = 0, "<?xml?>\n<svg>dot</svg>"

    def run(command, **options):
        seen.update(options, command=command)
        return Done

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/dot")
    monkeypatch.setattr(module.subprocess, "run", run)
    *_, y = example()
    assert mg.plot.graph(y).svg == "<svg>dot</svg>"
    assert seen["command"] == ["/usr/bin/dot", "-Tsvg"]
    assert seen["input"].count("->") == 7


def test_a_graphviz_that_fails_is_replaced(monkeypatch):
    class Done:
        returncode, stdout = 1, ""

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/dot")
    monkeypatch.setattr(module.subprocess, "run", lambda *a, **k: Done)
    *_, y = example()
    assert len(boxes(mg.plot.graph(y))) == 6


def test_a_long_chain_is_no_problem():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(300):
        y = y * 1.0
    assert len(boxes(mg.plot.graph(y))) == 301
