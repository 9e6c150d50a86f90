"""No prompt and no text: a linear classifier on the image features."""

from collections.abc import Sequence

from torch import Tensor, nn

from vlprompt.backbone import Backbone
from vlprompt.engine import Prompts, encode_image
from vlprompt.methods.common import Classifier, generator, linear_head, refuse_names
from vlprompt.sentences import read_names


class LinearProbe(nn.Module):
    """Linear probe: a linear head on CLIP's image features. Learns (E + 1) C numbers.

    images (B, 3, H, W) -> logits (B, C). ValueError for bad class names.
    Radford et al. 2021, section 3.2; the head's first values are VPT's.
    """

    keeps_image_features = True

    def __init__(self, backbone: Backbone, classnames: Sequence[str], *, seed: int = 0):
        super().__init__()
        self.backbone, self.classnames = backbone, read_names(backbone, classnames)
        self.options = {"seed": seed}
        self.head = linear_head(backbone, len(self.classnames), generator(seed))

    def prompts(self, features: Tensor | None = None) -> Prompts:
        return Prompts()

    def image_features(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, E), not normalised: the head learns their scale"""
        return encode_image(self.backbone, images)

    def classifier(self) -> Classifier:
        return self.head

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier()(self.image_features(images))

    def with_classes(self, classnames: Sequence[str]) -> "LinearProbe":
        refuse_names(self, "a row of weights for each class", "train a new one, or take a prompt")
