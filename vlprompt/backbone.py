"""A frozen CLIP: the small one of the course, any open_clip model, or one that you already hold."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.transforms import Normalize
from torchvision.transforms.functional import to_pil_image

from vlprompt.paths import data_file
from vlprompt.pictures import LazyImages, Pictures
from vlprompt.weights import named_clip, small_clip


@dataclass(frozen=True, eq=False, repr=False)
class Backbone:
    """A frozen CLIP and what goes with it. Not an nn.Module: what a method learns is its own alone.

    `dataclasses.replace(backbone, plain=True)` gives the same CLIP computed the slow, obvious way.
    """

    name: str
    model: nn.Module
    tokenizer: Callable
    preprocess: Callable  # PIL image -> (3, H, W), normalised
    visual: nn.Module  # the image tower: the model's own, or a copy that is being fine-tuned
    plain: bool = False  # True: every token of every sentence, image by image, nothing shared
    memory: int = 2 * 2**30  # bytes that the text tower may hold; beyond, it works in chunks

    def __repr__(self) -> str:
        return f"Backbone({self.name!r}, {self.image_size} pixels, on {self.device})"

    def __deepcopy__(self, memo) -> "Backbone":
        return self  # frozen, so a copy of a method shares it

    @property
    def text(self) -> nn.Module:
        """The text tower (of a plain open_clip `CLIP`, the model itself)."""
        return getattr(self.model, "text", self.model)

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def image_size(self) -> int:
        size = self.visual.image_size
        return size if isinstance(size, int) else size[0]

    @property
    def patch_size(self) -> int | None:
        """Pixels along a patch; None for an image tower that does not cut patches itself."""
        size = getattr(self.visual, "patch_size", None)
        return size[0] if isinstance(size, tuple) else size

    @property
    def embed_dim(self) -> int:
        projection = getattr(self.text, "text_projection", None)  # (d_t, E), or a Linear
        if projection is None:
            return getattr(self.text, "output_dim", self.text_width)
        return getattr(projection, "out_features", None) or projection.shape[1]

    @property
    def text_width(self) -> int:
        return getattr(self.text.transformer, "width", 0)

    @property
    def text_layers(self) -> int:
        return len(getattr(self.text.transformer, "resblocks", ()))

    @property
    def vision_width(self) -> int:
        """Width of the image tower's tokens; 0 for a tower without open_clip's own ViT blocks."""
        return getattr(getattr(self.visual, "transformer", None), "width", 0)

    @property
    def vision_layers(self) -> int:
        return len(getattr(getattr(self.visual, "transformer", None), "resblocks", ()))

    @property
    def context_length(self) -> int:
        return self.model.context_length

    @property
    def logit_scale(self) -> Tensor:
        """The factor that multiplies the cosines, already out of its logarithm: 100 in OpenAI's."""
        return self.model.logit_scale.detach().exp().reshape(())

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that tell these weights from others: prompts fit the weights they met."""
        digest = hashlib.sha256()
        state = self.model.state_dict()
        for name in sorted(state):
            if "ln_" in name or "proj" in name.rsplit(".", 1)[-1]:
                digest.update(state[name].detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def token_ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, without start and end token."""
        if hasattr(self.tokenizer, "encode"):
            return self.tokenizer.encode(text)
        return self.tokenizer.tokenizer(text, add_special_tokens=False)["input_ids"]  # a hub's own

    def tokenize(self, texts: list[str]) -> Tensor:
        """Token ids of texts, (N, context_length). A text that is too long is a ValueError."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        for text in texts:
            over = len(self.token_ids(text)) + 2 - self.context_length  # 2: start and end token
            if over > 0:
                raise ValueError(
                    f"{text!r} is {over} token{'s' * (over > 1)} too long: {self.name} reads "
                    f"{self.context_length}, start and end token included; shorten the text"
                )
        return self.tokenizer(texts, context_length=self.context_length).long()

    def prepare(self, images: Tensor | Pictures) -> Tensor | LazyImages:
        """Images (N, 3, H, W) uint8 -> what the image tower takes: resized, normalised floats.

        Pictures in files stay there, and are read and prepared batch by batch.
        """
        if isinstance(images, Pictures):
            return images.prepare(self.preprocess, self.image_size)
        steps = getattr(self.preprocess, "transforms", ())
        normalize = next((step for step in steps if isinstance(step, Normalize)), None)
        if normalize and images.shape[-2:] == (self.image_size, self.image_size):
            return normalize(images.float() / 255)  # the rest of the preprocessing would do nothing
        return torch.stack([self.preprocess(to_pil_image(image)) for image in images])


def wrap(model: nn.Module, tokenizer: Callable, preprocess: Callable, name: str = "custom") -> Backbone:
    """A Backbone around an open_clip model that you already hold; its weights are used in place.

    The model is frozen: evaluation mode, no gradients. ValueError unless it is a float32 CLIP.
    """
    missing = [part for part in ("visual", "logit_scale", "context_length") if not hasattr(model, part)]
    if missing:
        raise ValueError(
            f"wrap takes an open_clip model (CLIP or CustomTextCLIP); {type(model).__name__} has "
            f"no {' and no '.join(missing)}"
        )
    if model.logit_scale.dtype != torch.float32 or {p.dtype for p in model.parameters()} != {torch.float32}:
        raise ValueError(
            "the model's weights must be float32: call model.float() first, and let autocast lower "
            "the precision of the arithmetic"
        )
    size = model.visual.image_size
    if not isinstance(size, int) and size[0] != size[1]:
        raise ValueError(f"images of {size[0]}x{size[1]} pixels; only square ones are supported")
    model.eval().requires_grad_(False)
    return Backbone(name, model, tokenizer, preprocess, visual=model.visual)


def load(
    name: str = "tiny",
    pretrained: str | None = None,
    device: str | torch.device | None = None,
    quick_gelu: bool | None = None,
) -> Backbone:
    """Load a frozen CLIP in float32.

    `name`: "tiny", the small CLIP that comes with the course, or any name of
    `open_clip.list_models()`. `pretrained`: one of open_clip's tags ("openai"), a file of weights,
    or "random" for none. `device`: the GPU if there is one. `quick_gelu`: by default what the
    weights were trained with; say it for a file that is not OpenAI's own and does not tell.

    Raises ValueError for an unknown name, tag or file, ConnectionError for what cannot be fetched.
    """
    device = _device(device)
    if name != "tiny":
        model, tokenizer, preprocess = named_clip(name, pretrained, quick_gelu)
    elif pretrained is None:
        model, tokenizer, preprocess = small_clip(data_file("tiny-clip"))
    else:
        raise ValueError("'tiny' comes with its weights; leave pretrained out")
    return wrap(model.to(device), tokenizer, preprocess, name=name)


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"the device {device!r} is not there; 'cpu' always is, and None takes the best") from error
    return torch.device(device)
