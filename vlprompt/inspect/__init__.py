"""Looking inside: what a prompt has learned, read in words, in attention and in pixels."""

from vlprompt.inspect.attention import (
    attention_shares,
    class_attention,
    plot_attention_maps,
    plot_attention_shares,
    token_states,
)
from vlprompt.inspect.pixels import beyond_the_screen, frame_pictures, in_levels, plot_frame, prompted
from vlprompt.inspect.words import class_path, known_ids, nearest_words, random_like, to_plane, word

__all__ = [
    "attention_shares",
    "beyond_the_screen",
    "class_attention",
    "class_path",
    "frame_pictures",
    "in_levels",
    "known_ids",
    "nearest_words",
    "plot_attention_maps",
    "plot_attention_shares",
    "plot_frame",
    "prompted",
    "random_like",
    "to_plane",
    "token_states",
    "word",
]
