"""A film that plays in a notebook and on a web page: nothing but HTML that stands for itself."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

_PAGE = """<div class="minigan-player" data-film="{name}">
<img src="{still}" alt="{alt}" style="display:block;max-width:100%">
<div hidden style="align-items:center;gap:.6em;margin-top:.3em">
<button type="button" aria-label="play or pause">&#9654;</button>
<input type="range" min="0" max="{last}" value="{last}" aria-label="frame" style="width:16em">
<output>{caption}</output>
</div>
<script>
(function () {{
  const frames = {frames};
  const captions = {captions};
  for (const film of document.querySelectorAll('[data-film="{name}"]:not([data-ready])')) {{
    film.dataset.ready = "";
    const [image, button, slider, caption] =
      ["img", "button", "input", "output"].map((tag) => film.querySelector(tag));
    button.parentElement.hidden = false;
    button.parentElement.style.display = "flex";
    let timer = null;
    const show = () => {{
      image.src = "data:image/png;base64," + frames[slider.value];
      caption.textContent = captions[slider.value];
    }};
    const stop = () => {{ clearInterval(timer); timer = null; button.textContent = "\\u25b6"; }};
    slider.addEventListener("input", () => {{ stop(); show(); }});
    button.addEventListener("click", () => {{
      if (timer) return stop();
      if (slider.value === slider.max) slider.value = 0;
      button.textContent = "\\u23f8";
      show();
      timer = setInterval(() => {{
        if (slider.value === slider.max) return stop();
        slider.value = Number(slider.value) + 1;
        show();
      }}, {milliseconds});
    }});
  }}
}})();
</script>
</div>"""


class Player:
    """What :func:`player` makes: shown by Jupyter as a film, printed as a line."""

    def __init__(self, html: str, frames: int) -> None:
        self.html, self.frames = html, frames

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"a film of {self.frames} frames"


def player(
    frames: Iterable[Image | Figure],
    captions: Sequence[str] | None = None,
    seconds: float = 0.2,
) -> Player:
    """Pictures one after the other, with a slider and a button that plays them.

    It needs neither a kernel nor a network: the frames are part of the page. Where scripts do not
    run, the last frame is seen. The same frames give the same bytes.

    Parameters
    ----------
    frames : iterable of pictures or figures
        Of the same size, as :func:`minigan.plot.grid` or Matplotlib make them.
    captions : sequence of str, optional
        A text for each frame; default its number.
    seconds : float
        How long a frame stays.

    Raises
    ------
    ValueError
        No frames, or not as many captions.
    """
    pictures = [base64.b64encode(png(frame)).decode() for frame in frames]
    if not pictures:
        raise ValueError("a film needs at least one frame")
    if captions is None:
        captions = [f"{i + 1} of {len(pictures)}" for i in range(len(pictures))]
    if len(captions) != len(pictures):
        raise ValueError(f"{len(pictures)} frames need as many captions, got {len(captions)}")
    content = json.dumps([pictures, list(captions), seconds])
    page = _PAGE.format(
        name=hashlib.sha256(content.encode()).hexdigest()[:12],
        still="data:image/png;base64," + pictures[-1],
        alt=f"film of {len(pictures)} frames, the last: {html.escape(captions[-1])}",
        last=len(pictures) - 1,
        caption=html.escape(captions[-1]),
        frames=json.dumps(pictures),
        captions=json.dumps(list(captions)).replace("<", "\\u003c"),
        milliseconds=round(1000 * seconds),
    )
    return Player(page, len(pictures))


def png(picture: Any) -> bytes:
    """A picture or a figure as a PNG file: the same pixels give the same bytes."""
    buffer = io.BytesIO()
    if hasattr(picture, "savefig"):
        picture.savefig(buffer, format="png", metadata={"Software": None})
    else:
        picture.save(buffer, format="png")
    return buffer.getvalue()
