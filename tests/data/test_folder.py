import warnings

import numpy as np
import pytest

from minigan.data import DataError, image_folder

Image = pytest.importorskip("PIL.Image")

RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def save(path, pixels, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **options)


def block(color, height=8, width=8):
    return np.broadcast_to(np.uint8(color), (height, width, 3)).copy()


def halves(left, right, height=8, width=8):
    pixels = block(left, height, width)
    pixels[:, width // 2 :] = right
    return pixels


def test_any_sizes_become_equal_squares_sorted_by_path(tmp_path):
    save(tmp_path / "b.png", block(RED, 40, 90))
    save(tmp_path / "a.PNG", block(BLUE, 5, 3))
    save(tmp_path / "deep/er/c.bmp", block(WHITE, 16, 16))
    ds = image_folder(tmp_path, size=16)
    assert ds.data.shape == (3, 3, 16, 16) and ds.data.dtype == np.uint8
    assert (ds.name, ds.labels, ds.range) == (tmp_path.name, None, (-1, 1))
    for picture, color in zip(ds.data, (BLUE, RED, WHITE), strict=True):
        np.testing.assert_array_equal(picture, np.broadcast_to(np.c_[color][:, None], (3, 16, 16)))


def test_a_wide_picture_is_cut_to_its_middle(tmp_path):
    pixels = block(RED, 8, 24)
    pixels[:, 8:16] = BLUE
    save(tmp_path / "wide.png", pixels)
    (picture,) = image_folder(tmp_path, size=8).data
    np.testing.assert_array_equal(picture, block(BLUE).transpose(2, 0, 1))


def test_resizing_averages(tmp_path):
    checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    save(tmp_path / "checkers.png", checkers)
    (picture,) = image_folder(tmp_path, size=8).data
    assert abs(picture.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(("grey", "channels"), [(None, 1), (True, 1), (False, 3)])
def test_grey_pictures(tmp_path, grey, channels):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    save(tmp_path / "l.png", pixels)
    save(tmp_path / "saved_as_colour.png", pixels, "RGB")
    save(tmp_path / "palette.png", pixels, "P")
    ds = image_folder(tmp_path, size=8, grey=grey)
    assert ds.shape == (channels, 8, 8)
    assert (ds.data == pixels).all()


@pytest.mark.parametrize(("grey", "channels"), [(None, 3), (True, 1), (False, 3)])
def test_one_coloured_picture_makes_all_of_them_coloured(tmp_path, grey, channels):
    save(tmp_path / "grey.png", np.full((8, 8), 100, np.uint8))
    save(tmp_path / "red.png", block(RED))
    ds = image_folder(tmp_path, size=8, grey=grey)
    assert ds.shape == (channels, 8, 8) and (ds.data[0] == 100).all()


def test_transparent_parts_are_white(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = [255, 0, 0, 255]
    expected = halves(WHITE, RED).transpose(2, 0, 1)
    save(tmp_path / "rgba.png", pixels)
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.png", transparency=0)
    save(tmp_path / "palette.gif", pixels)
    data = image_folder(tmp_path, size=8).data
    assert len(data) == 3
    for picture in data:
        np.testing.assert_array_equal(picture, expected)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path):
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    save(tmp_path / "deep.png", levels)
    save(tmp_path / "deep.tif", levels)
    data = image_folder(tmp_path, size=8).data
    assert data.shape == (2, 1, 8, 8)
    assert abs(data - levels / 257).max() <= 1


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr", "LA"])
def test_other_modes_are_read(tmp_path, mode):
    suffix = "tif" if mode in ("CMYK", "YCbCr") else "png"
    save(tmp_path / f"x.{suffix}", halves([0, 0, 0], WHITE), mode)
    (picture,) = image_folder(tmp_path, size=8, grey=True).data
    np.testing.assert_allclose(picture[0], halves([0, 0, 0], WHITE)[..., 0], atol=2)


def test_pictures_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show rotated clockwise by a quarter
    save(tmp_path / "phone.png", halves(RED, BLUE), exif=exif)
    (picture,) = image_folder(tmp_path, size=8).data
    np.testing.assert_array_equal(picture, np.rot90(halves(RED, BLUE), -1).transpose(2, 0, 1))


def test_a_large_jpeg_keeps_the_detail_that_fits(tmp_path):
    stripes = np.tile(np.repeat(np.uint8([0, 255]), 4), (600, 100))
    save(tmp_path / "stripes.jpg", stripes, quality=95)
    (large,), (small,) = (image_folder(tmp_path, size=size).data for size in (300, 32))
    assert large.std() > 100  # two pixels a stripe
    assert abs(small - 127.5).max() < 20  # too fine to show: the average


def test_subfolders_one_level_down_are_the_classes(tmp_path):
    for name in ("dogs/1.png", "cats/1.png", "cats/more/2.png"):
        save(tmp_path / name, block(RED))
    (tmp_path / "empty").mkdir()
    ds = image_folder(tmp_path)
    assert ds.classes == ("cats", "dogs")
    np.testing.assert_array_equal(ds.labels, [0, 0, 1])
    assert ds.labels.dtype == np.int64


def test_labels_are_those_of_the_readable_pictures(tmp_path):
    for name in ("a/1.png", "b/1.png", "c/2.png"):
        save(tmp_path / name, block(RED))
    (tmp_path / "b/1.png").write_bytes(b"broken")
    with pytest.warns(UserWarning):
        ds = image_folder(tmp_path)
    assert ds.classes == ("a", "b", "c")
    np.testing.assert_array_equal(ds.labels, [0, 2])


def test_broken_pictures_are_named_in_one_warning(tmp_path):
    for i in range(3):
        save(tmp_path / f"good{i}.png", block([i, i, i]))
    (tmp_path / "text.png").write_bytes(b"not a picture")
    whole = (tmp_path / "good0.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    with pytest.warns(UserWarning, match="3 of 6 pictures could not be read") as caught:
        ds = image_folder(tmp_path, size=4)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert all(name in str(caught[0].message) for name in ("text.png", "half.png", "empty.jpg"))
    np.testing.assert_array_equal(ds.data[:, 0, 0, 0], [0, 1, 2])


def test_only_broken_pictures_are_an_error(tmp_path):
    (tmp_path / "text.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match="1 of 1 pictures could not be read: text.png"):
        image_folder(tmp_path)


def test_hidden_files_and_other_types_are_passed_over(tmp_path):
    save(tmp_path / "x.png", block(RED))
    (tmp_path / "._x.png").write_bytes(b"left by macOS")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails/x.png").write_bytes(b"hidden")
    (tmp_path / "notes.txt").write_text("hello")
    assert len(image_folder(tmp_path)) == 1


def test_no_folder_and_no_pictures(tmp_path):
    with pytest.raises(DataError, match="absent: expected a folder"):
        image_folder(tmp_path / "absent")
    with pytest.raises(DataError, match="expected pictures .*.png.*found none"):
        image_folder(tmp_path)
    with pytest.raises(ValueError, match="size >= 1"):
        image_folder(tmp_path, size=0)
