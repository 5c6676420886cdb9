"""Your own pictures: a folder of any sizes, shapes and formats, as one data set."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..array import np
from .dataset import DataError, Dataset

if TYPE_CHECKING:
    from PIL import Image

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def image_folder(path: str | Path, size: int = 32, grey: bool | None = None) -> Dataset:
    """The pictures in folder ``path`` and its sub-folders, as squares of ``size`` pixels.

    Each picture is turned upright (EXIF), laid on white where it is transparent, cut to the square
    in its middle, and resized. They come in the order of their paths.

    If all of them lie in sub-folders, the sub-folders one level down are the classes, in
    alphabetical order, as in torchvision's ``ImageFolder``; otherwise there are no labels.

    Parameters
    ----------
    path : folder
    size : int
        Height and width of the result.
    grey : bool or None
        True for one channel, False for three (red, green, blue), None for three unless every
        picture is grey.

    Returns
    -------
    Dataset
        ``data`` is uint8 of shape (N, C, size, size), 0..255.

    Warns
    -----
    UserWarning
        Once, naming the pictures that could not be read; they are left out.

    Raises
    ------
    DataError
        If there is no such folder, or no readable picture in it.
    """
    folder = Path(path).expanduser()
    if size < 1:
        raise ValueError(f"expected size >= 1, got {size}")
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of pictures, there is none: check the path")
    files = _picture_files(folder)
    if not files:
        raise DataError(f"{folder}: expected pictures ({' '.join(_SUFFIXES)}), found none")

    mode, channels = ("L", 1) if grey else ("RGB", 3)
    pixels = np.empty((len(files), size, size, channels), np.uint8)
    used: list[Path] = []
    broken: list[str] = []
    for file in files:
        try:
            picture = _read_picture(folder / file, size, mode)
        except Exception as error:  # Pillow raises many types for damaged files
            broken.append(f"{file} ({error})")
            continue
        pixels[len(used)] = picture.reshape(size, size, channels)
        used.append(file)
    if broken:
        more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
        message = (
            f"{folder}: {len(broken)} of {len(files)} pictures could not be read: "
            f"{', '.join(broken[:10])}{more}"
        )
        if not used:
            raise DataError(f"{message}: there is none to use")
        warnings.warn(f"{message}; they are left out", stacklevel=2)

    pixels = pixels[: len(used)]
    if grey is None and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1].copy()
    labels, classes = None, None
    if all(len(file.parts) > 1 for file in files):
        classes = tuple(sorted({file.parts[0] for file in files}))
        labels = np.array([classes.index(file.parts[0]) for file in used], dtype=np.int64)
    return Dataset(pixels.transpose(0, 3, 1, 2), labels, folder.resolve().name, classes=classes)


def _picture_files(folder: Path) -> list[Path]:
    """The pictures' paths inside ``folder``, sorted; nothing hidden (such as ``._cat.jpg``)."""
    files = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    return sorted(
        file
        for file in files
        if file.suffix.lower() in _SUFFIXES and not any(part[0] == "." for part in file.parts)
    )


def _read_picture(path: Path, size: int, mode: str) -> np.ndarray:
    """One picture as a uint8 array of shape (size, size), or (size, size, 3) for mode "RGB"."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        # A JPEG far larger than needed is decoded at a fraction of its size: much faster.
        image.draft(None, (2 * size, 2 * size))
        upright = ImageOps.exif_transpose(image)
        opaque = _eight_bits(upright)
        if opaque.has_transparency_data:
            opaque = opaque.convert("RGBA")
            opaque = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
        return np.asarray(ImageOps.fit(opaque.convert(mode), (size, size)))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled to 8, which Pillow itself would cut off at 255; others unchanged."""
    from PIL import Image

    if image.mode[0] not in "IF":
        return image
    levels = np.asarray(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > 65535:
        raise ValueError(f"expected 8 or 16 bits a channel, got Pillow's mode {image.mode}")
    return Image.fromarray((levels // 257).astype(np.uint8))
