"""The engine: a frozen CLIP's two towers, with prompts added where a method says.

A method is a function from its parameters to `Prompts`; everything else is here. Each tower exists
twice: fast (`vision_tower.py`, `text_tower.py`) and plain (`plain.py`), which the tests hold equal.
"""

from dataclasses import dataclass

import torch
from open_clip import CLIP
from open_clip.transformer import ResidualAttentionBlock, TextTransformer, VisionTransformer
from torch import Tensor, nn

from vlprompt import plain, text_tower, vision_tower
from vlprompt.backbone import Backbone
from vlprompt.sentences import Sentences


@dataclass(frozen=True, eq=False, repr=False)
class Prompts:
    """What a method adds to a frozen CLIP, and where. By default nothing.

    `vision` and `text` hold one tensor for each prompted layer, the first layer's first; those of a
    deeper layer take the places of what the layer before made of the ones ahead of them.
    """

    pixels: Tensor | None = None  # (3, H, W), added to the normalised image
    vision: tuple[Tensor, ...] = ()  # (M, d_v) a layer: tokens after the patches
    # (M, d_t) a layer: vectors at the open places of the sentences. Those of the first layer may
    # also be (C, M, d_t), one context a class, or (B, 1, M, d_t), one an image.
    text: tuple[Tensor, ...] = ()

    def __repr__(self) -> str:
        parts = [] if self.pixels is None else [f"pixels: {tuple(self.pixels.shape)}"]
        for tower, layers in (("vision", self.vision), ("text", self.text)):
            if layers:
                parts.append(f"{tower}: {tuple(layers[0].shape)} in layers 1-{len(layers)}")
        return f"Prompts({', '.join(parts)})"


def encode_image(backbone: Backbone, images: Tensor, prompts: Prompts | None = None) -> Tensor:
    """Image features (B, E), not normalised, of images (B, 3, H, W) already normalised.

    Raises ValueError for images of another shape, type, device or range, and for vision tokens in a
    tower that takes none.
    """
    prompts = prompts or Prompts()
    check_images(backbone, images)
    if prompts.pixels is not None:
        images = images + prompts.pixels
    if prompts.vision:
        check_vision(backbone, len(prompts.vision))
    if not takes_vision_tokens(backbone):
        features = backbone.visual(images)
        return features[0] if isinstance(features, tuple) else features
    tower = plain if backbone.plain or not own_blocks(backbone.visual) else vision_tower
    return tower.image_features(backbone.visual, images, prompts.vision)


def encode_text(backbone: Backbone, sentences: Sentences, prompts: Prompts | None = None) -> Tensor:
    """Text features of C sentences, not normalised: (C, E), or (B, C, E) with a context an image.

    Raises ValueError for a context in a text tower that takes none.
    """
    prompts = prompts or Prompts()
    if prompts.text:
        check_text(backbone, len(prompts.text))
    if not takes_context(backbone):
        return backbone.model.encode_text(sentences.tokens.to(backbone.device))
    tower = plain if backbone.plain or not reads_only_ahead(backbone) else text_tower
    return tower.text_features(backbone, sentences, prompts.text)


# ---- which models fit --------------------------------------------------------------------------


def takes_vision_tokens(backbone: Backbone) -> bool:
    """True of open_clip's own ViT read at its class token; ResNets and timm towers take none."""
    visual = backbone.visual
    return isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type == "tok"


def takes_context(backbone: Backbone) -> bool:
    """True of open_clip's own text towers with CLIP's tokenizer, and no class token in the text."""
    text = backbone.text
    own = isinstance(text, (CLIP, TextTransformer)) and getattr(text, "cls_emb", None) is None
    return own and not getattr(text, "use_pad_mask", False)


def reads_only_ahead(backbone: Backbone) -> bool:
    """True where nothing after the end token can matter, so that the fast text tower is exact."""
    text = backbone.text
    pool = text.text_pool_type if isinstance(text, CLIP) else text.pool_type
    return own_blocks(text) and text.attn_mask is not None and pool in ("argmax", "eos")


def own_blocks(tower: nn.Module) -> bool:
    """True of open_clip's standard blocks, whose arithmetic the fast towers know."""
    transformer = tower.transformer
    return transformer.batch_first and all(type(block) is ResidualAttentionBlock for block in transformer.resblocks)


def check_vision(backbone: Backbone, depth: int) -> None:
    """ValueError unless the first `depth` layers of the image tower take tokens."""
    if depth and not takes_vision_tokens(backbone):
        raise ValueError(
            f"the image tower of {backbone.name}, a {type(backbone.visual).__name__}, takes "
            f"no tokens; use a method on its text or pixels, or a ViT that is read at its class "
            f"token, such as 'tiny' or ViT-B-16"
        )
    check_depth(depth, backbone.vision_layers, f"image tower of {backbone.name}")


def check_text(backbone: Backbone, depth: int) -> None:
    """ValueError unless the first `depth` layers of the text tower take context vectors."""
    if depth and not takes_context(backbone):
        raise ValueError(
            f"the text tower of {backbone.name} takes no context; use a method on its pixels or "
            f"image tower, or a CLIP with open_clip's own text tower, such as 'tiny' or ViT-B-16"
        )
    check_depth(depth, backbone.text_layers, f"text tower of {backbone.name}")


def check_depth(depth: int, layers: int, tower: str) -> None:
    """ValueError unless a tower of so many layers has the first `depth` of them."""
    if depth not in range(layers + 1):
        raise ValueError(f"a depth of {depth} in the {tower}, which has {layers} layers; choose 0 to {layers}")


def check_images(backbone: Backbone, images: Tensor) -> None:
    """ValueError unless the images have the shape, type, device and range that the tower wants."""
    size = backbone.image_size
    wanted = f"images are float tensors (B, 3, {size}, {size}), normalised by backbone.preprocess"
    if not isinstance(images, Tensor):
        raise ValueError(f"{wanted}; given a {type(images).__name__}")
    if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
        raise ValueError(f"{wanted}; given the shape {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"{wanted}; given {images.dtype}")
    if images.device != backbone.device:
        raise ValueError(f"the images are on {images.device}, {backbone.name} on {backbone.device}")
    if torch.compiler.is_compiling() or not images.numel():
        return
    reach = float(images.detach().abs().amax())
    if not reach < 20:  # normalised images stay below 3; 255, infinity and NaN do not
        raise ValueError(f"{wanted}, about -2 to 3; given values up to {reach:g}")
