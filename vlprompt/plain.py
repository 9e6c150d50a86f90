"""Both towers the plain way, as the papers' codes run them: every token, every layer, open_clip's
own blocks. The measure of the fast towers, in numbers (the tests) and in time (the benchmarks).
"""

import torch
from open_clip.transformer import text_global_pool
from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.sentences import Sentences


def image_features(visual: nn.Module, images: Tensor, prompts: tuple[Tensor, ...]) -> Tensor:
    """Features (B, E) of images, with tokens (M, d) a layer after the patches."""
    batch = len(images)
    x = visual.conv1(images).flatten(2).transpose(1, 2)  # (B, N, d)
    x = torch.cat([visual.class_embedding.expand(batch, 1, -1), x], dim=1)
    x = x + visual.positional_embedding  # (B, 1 + N, d)
    own = x.shape[1]
    if prompts:
        x = torch.cat([x, prompts[0].expand(batch, -1, -1)], dim=1)  # (B, 1 + N + M, d)
    x = visual.ln_pre(x)
    for i, block in enumerate(visual.transformer.resblocks):
        if 0 < i < len(prompts):
            x = torch.cat([x[:, :own], prompts[i].expand(batch, -1, -1)], dim=1)
        x = block(x)
    x = visual.ln_post(x)[:, 0]
    return x if visual.proj is None else x @ visual.proj


def text_features(backbone: Backbone, sentences: Sentences, prompts: tuple[Tensor, ...]) -> Tensor:
    """Features (C, E) of C sentences with context vectors; (B, C, E) with a context an image."""
    if prompts and prompts[0].ndim == 4:  # image by image
        each = [text_features(backbone, sentences, (own[0], *prompts[1:])) for own in prompts[0]]
        return torch.stack(each)
    text = backbone.text
    tokens = sentences.tokens.to(backbone.device)  # (C, L)
    x = text.token_embedding(tokens)  # (C, L, d)
    if prompts:
        x = replace(x, sentences.slots, prompts[0])
    x = x + text.positional_embedding[: x.shape[1]]
    for i, block in enumerate(text.transformer.resblocks):
        if 0 < i < len(prompts):
            x = replace(x, sentences.slots, prompts[i])
        x = block(x, attn_mask=text.attn_mask)
    x = text.ln_final(x)
    pool = getattr(text, "text_pool_type", None) or text.pool_type
    end = getattr(text, "text_eos_id", None) or getattr(text, "eos_id", None)
    x = text_global_pool(x, tokens, pool, eos_token_id=end)  # (C, d)
    projection = text.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Module) else x @ projection


def replace(x: Tensor, slots: Tensor, prompt: Tensor) -> Tensor:
    """`x` (C, L, d) with the vectors of `prompt` (M, d) or (C, M, d) at their open places."""
    prompt = prompt.expand(len(x), *prompt.shape[-2:])
    sentence, place = (slots >= 0).nonzero(as_tuple=True)
    x = x.clone()
    x[sentence, place] = prompt[sentence, slots[sentence, place]]
    return x
