"""Images that lie in files: read when they are asked for, several at once, and never all in memory."""

import hashlib
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from PIL import Image, ImageOps
from torch import Generator, Tensor
from torchvision.transforms import Compose, Normalize, PILToTensor, ToTensor
from tqdm import tqdm

READERS = min(8, os.cpu_count() or 1)  # threads: Pillow decodes and resizes without Python's lock
AHEAD = 2  # batches that are read while one is in use
# What Pillow raises on a file that is damaged, or no image at all.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


class PictureView(Protocol):
    """A random view of a picture, as `vlprompt.augment.RandomViews` draws it."""

    def picture(self, image: Image.Image, size: int, generator: Generator) -> Image.Image:
        """A view of `size` x `size` pixels, drawn from the generator alone."""


def read_picture(path: str | os.PathLike, upright: bool = True) -> Image.Image:
    """A file as an RGB image, transparency dropped as CLIP's loaders do.

    `upright` turns a photo as its EXIF tag says.  A file that cannot be read is a ValueError that names it.
    """
    try:
        with Image.open(path) as image:
            return in_rgb(ImageOps.exif_transpose(image) if upright else image)
    except FileNotFoundError:
        raise ValueError(f"the image {path} is not there") from None
    except BROKEN as error:
        said = str(error).replace(f" {str(path)!r}", "") or type(error).__name__
        raise ValueError(f"{path} cannot be read as an image ({said})") from None


def in_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB, decoded whole."""
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        image = image.convert("RGBA")  # Pillow warns of the direct way; the colours are the same
    return image.convert("RGB")


@dataclass(frozen=True, repr=False)
class Pictures(Sequence):
    """Image files by path: `pictures[3]` is a PIL image, `pictures[:10]` and `pictures[labels == 3]` are fewer files.

    `Backbone.prepare` makes of them what `fit` and `accuracy` take.
    """

    paths: tuple[str, ...]
    upright: bool = True  # False for the papers' datasets, whose loaders do not look at EXIF

    def __repr__(self) -> str:
        return f"Pictures({len(self.paths):,} files{f', the first {self.paths[0]}' if self.paths else ''})"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | slice | Tensor) -> "Image.Image | Pictures":
        if isinstance(index, slice):
            return replace(self, paths=self.paths[index])
        if isinstance(index, Tensor) and index.ndim:
            chosen = torch.arange(len(self))[index].tolist()
            return replace(self, paths=tuple(self.paths[i] for i in chosen))
        return read_picture(self.paths[index], self.upright)

    def prepare(self, preprocess: Callable, size: int) -> "LazyImages":
        """The same pictures as normalised floats of `size` pixels, by a backbone's preprocessing."""
        return LazyImages(self, *halves(preprocess), size)


@dataclass(frozen=True, repr=False)
class LazyImages:
    """Normalised float images (N, 3, H, W) in files, read batch by batch; made by `Backbone.prepare`.

    They stand for a tensor in `fit`, `accuracy`, `probabilities`, `predict` and `keep_features`: `len(images)`,
    `images[indices]` for a LongTensor of them, `images.split(100)`.
    """

    pictures: Pictures
    on_picture: Callable  # PIL image -> tensor (3, H, W)
    on_batch: Callable  # stacked tensors -> normalised floats (B, 3, H, W)
    size: int
    views: tuple[PictureView, Tensor] | None = None  # what draws them, and a seed for each picture

    ndim = 4

    def __repr__(self) -> str:
        return f"LazyImages({len(self):,} files, {self.size} pixels{', random views' if self.views else ''})"

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, indices: Tensor) -> Tensor:
        """The images at `indices` (B,), as (B, 3, H, W) on the CPU."""
        return next(self.stream([torch.as_tensor(indices).reshape(-1)]))

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in order, `size` at a time; on a terminal a bar says how far it is."""
        batches = torch.arange(len(self)).split(size)
        bar = tqdm(total=len(self), unit="image", desc="images", leave=False, disable=None, delay=2)
        with bar:
            for batch in self.stream(batches):
                yield batch
                bar.update(len(batch))

    def stream(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of one batch of indices after the other; the next ones are read while one is in use."""
        pool = ThreadPoolExecutor(READERS)
        waiting: deque = deque()
        try:
            for batch in batches:
                waiting.append([pool.submit(self.read, i) for i in batch.tolist()])
                if len(waiting) > AHEAD:
                    yield self.finish(waiting.popleft())
            while waiting:
                yield self.finish(waiting.popleft())
        finally:  # also where the caller stops early
            pool.shutdown(cancel_futures=True)

    def read(self, index: int) -> Tensor:
        """One picture, (3, H, W), not yet normalised."""
        image = self.pictures[index]
        if self.views:
            augment, seeds = self.views
            image = augment.picture(image, self.size, Generator().manual_seed(int(seeds[index])))
        return self.on_picture(image)

    def finish(self, futures: list) -> Tensor:
        return self.on_batch(torch.stack([future.result() for future in futures]))

    def seen(self, augment: PictureView, seed: int, epoch: int) -> "LazyImages":
        """The views that training with this seed shows in this epoch: the same whenever they are asked for."""
        key = hashlib.sha256(f"views/{seed}/{epoch}".encode()).digest()
        generator = Generator().manual_seed(int.from_bytes(key[:7]))
        return replace(self, views=(augment, torch.randint(2**62, (len(self),), generator=generator)))

    def sha256(self) -> str:
        """A hash of the files' contents in their order, whatever their folder."""
        digests = in_threads(file_sha256, self.pictures.paths)
        return hashlib.sha256("\n".join([*digests, f"upright {self.pictures.upright}"]).encode()).hexdigest()


def in_threads(function: Callable, items: Iterable) -> Iterator:
    """What a function makes of each item, in order, several at once; one who stops early waits for nothing."""
    pool = ThreadPoolExecutor(READERS)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def file_sha256(path: str | os.PathLike) -> str:
    """The hash of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def halves(preprocess: Callable) -> tuple[Callable, Callable]:
    """A preprocessing as what is done to each picture, in threads, and what is done to a whole batch at once."""
    steps = getattr(preprocess, "transforms", ())
    if len(steps) < 2 or not isinstance(steps[-1], Normalize) or not isinstance(steps[-2], ToTensor):
        return preprocess, lambda batch: batch
    normalize = steps[-1]
    return Compose([*steps[:-2], PILToTensor()]), lambda batch: normalize(batch.float() / 255)
