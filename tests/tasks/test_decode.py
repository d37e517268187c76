"""Images of all kinds become 8-bit grey or colour, upright and in one size, as the documentation says."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.data.findings import FaultLog
from harness.tasks import decode
from harness.tasks.decode import UnreadableImageError
from harness.tasks.preprocess import sized, values
from harness.tasks.schema import Preprocess
from tests.support.tasks import picture


def read(path: Path, colour: str = "rgb") -> tuple[np.ndarray, set[str]]:
    faults = FaultLog()
    image = decode.decode(path, path.name, colour, faults)  # type: ignore[arg-type]
    return np.asarray(image), {fault.code for fault in faults.all}


def test_colour_and_grey_are_taken_as_they_are(tmp_path: Path) -> None:
    for mode, colour in (("RGB", "rgb"), ("L", "grey")):
        image = picture(1, (20, 10), mode)
        image.save(tmp_path / "x.png")
        pixels, said = read(tmp_path / "x.png", colour)
        assert (pixels == np.asarray(image)).all()
        assert not said


def test_grey_becomes_three_equal_channels_and_colour_is_weighted(tmp_path: Path) -> None:
    picture(1, mode="L").save(tmp_path / "grey.png")
    pixels, _ = read(tmp_path / "grey.png")
    assert pixels.shape == (16, 16, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    Image.new("RGB", (9, 9), (0, 255, 0)).save(tmp_path / "green.png")
    assert read(tmp_path / "green.png", "grey")[0][0, 0] == round(255 * 0.587)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = picture(1, (24, 16))
    ways = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(ways[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "x.png", exif=exif)
    pixels, said = read(tmp_path / "x.png")
    assert (pixels == np.asarray(upright)).all()
    assert said == ({"turned"} if orientation > 1 else set())


def test_palettes_become_colours_and_alpha_is_dropped(tmp_path: Path) -> None:
    image = picture(1).quantize(16)
    image.save(tmp_path / "p.png")
    assert (read(tmp_path / "p.png")[0] == np.asarray(image.convert("RGB"))).all()
    image.save(tmp_path / "t.png", transparency=3)
    pixels, said = read(tmp_path / "t.png")
    assert (pixels == np.asarray(image.convert("RGB"))).all()
    assert said == {"alpha"}
    for mode in ("RGBA", "LA"):
        image = picture(2, mode=mode)
        image.save(tmp_path / "a.png")
        pixels, said = read(tmp_path / "a.png")
        stored = np.asarray(image)
        assert (pixels[..., 0] == stored[..., 0]).all()
        assert said == {"alpha"}


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = (np.arange(256, dtype=np.uint16).reshape(16, 16) * 257).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.png")
    pixels, said = read(tmp_path / "x.png", "grey")
    assert (pixels == np.arange(256).reshape(16, 16)).all()
    assert said == {"sixteen-bits"}


def test_cmyk_and_bits_are_converted(tmp_path: Path) -> None:
    image = picture(1, mode="CMYK")
    image.save(tmp_path / "x.tif")
    pixels, said = read(tmp_path / "x.tif")
    assert (pixels == np.asarray(image.convert("RGB"))).all()
    assert said == {"cmyk"}
    Image.fromarray(np.eye(16) > 0).save(tmp_path / "b.png")
    assert set(np.unique(read(tmp_path / "b.png", "grey")[0])) == {0, 255}


def test_of_an_animation_the_first_picture_is_used(tmp_path: Path) -> None:
    first, second = Image.new("L", (16, 16), 10), Image.new("L", (16, 16), 200)
    first.save(tmp_path / "x.gif", save_all=True, append_images=[second])
    pixels, said = read(tmp_path / "x.gif", "grey")
    assert (pixels == 10).all()
    assert said == {"animated"}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: p.write_bytes(b""), "damaged-image"),
        (lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "damaged-image"),
        (lambda p: Image.fromarray(np.zeros((9, 9), dtype=np.float32)).save(p, format="TIFF"), "unusual-depth"),
        (lambda p: Image.new("1", (40_000, 40_000)).save(p, format="PNG"), "too-many-pixels"),
        (lambda p: p.mkdir(), "special-file"),
        (lambda p: None, "unreadable"),
    ],
)
def test_what_cannot_be_used_has_a_name(tmp_path: Path, make: Callable[[Path], object], code: str) -> None:
    make(tmp_path / "x.png")
    with pytest.raises(UnreadableImageError) as caught:
        read(tmp_path / "x.png")
    assert caught.value.code == code


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(decode.MAX_FILE_BYTES + 1)
    with pytest.raises(UnreadableImageError, match="larger than 64 MiB"):
        read(tmp_path / "x.png")


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_image_is_an_image_or_has_a_name(tmp_path: Path, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    picture(1, (24, 24)).save(buffer, format=data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "x.png").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        pixels, _ = read(tmp_path / "x.png")
    except UnreadableImageError:
        return
    assert pixels.dtype == np.uint8


# size, crop, values


def gradient(width: int, height: int) -> Image.Image:
    return Image.fromarray((np.add.outer(np.arange(height), np.arange(width)) % 256).astype(np.uint8))


def test_stretch_is_pillow_s_resize() -> None:
    image = gradient(40, 20)
    pixels = sized(image, Preprocess(size=(10, 10)))  # type: ignore[arg-type]
    assert (pixels == np.asarray(image.resize((10, 10), Image.Resampling.BILINEAR))).all()
    assert (sized(image, Preprocess()) == np.asarray(image)).all()


def test_crop_keeps_the_middle() -> None:
    image = gradient(40, 20)
    pixels = sized(image, Preprocess(size=(20, 20), fit="crop"))  # type: ignore[arg-type]
    assert (pixels == np.asarray(image)[:, 10:30]).all()
    pixels = sized(image, Preprocess(size=(10, 10), fit="crop", shorter=20))  # type: ignore[arg-type]
    assert (pixels == np.asarray(image)[5:15, 15:25]).all()


def test_pad_adds_black() -> None:
    image = Image.new("RGB", (40, 20), (9, 9, 9))
    pixels = sized(image, Preprocess(size=(40, 40), fit="pad"))  # type: ignore[arg-type]
    assert pixels.shape == (40, 40, 3)
    assert (pixels[10:30] == 9).all()
    assert not pixels[:10].any()
    assert not pixels[30:].any()


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(8, 60), st.integers(8, 60),
    st.sampled_from(["stretch", "crop", "pad"]),
)  # fmt: skip
def test_any_image_gets_the_size(width: int, height: int, high: int, wide: int, fit: str) -> None:
    assert sized(gradient(width, height), Preprocess(size=[high, wide], fit=fit)).shape == (high, wide)  # type: ignore[arg-type]


def test_values_are_scaled_normalised_and_laid_out() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3)).astype(np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    rules = Preprocess(scale="1/255", mean=mean.tolist(), std=std.tolist(), layout="nchw")  # type: ignore[arg-type]
    expected = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    result = values(pixels, rules, pixels=True)
    assert result.dtype == np.float32
    assert result.shape == (2, 3, 8, 9)
    assert np.allclose(result, expected, atol=1e-5)
    assert values(pixels[..., 0], Preprocess(), pixels=True).shape == (2, 8, 9, 1)
