"""The formats in which a network is exported."""

from typing import Literal

Format = Literal["onnx", "keras", "saved-model"]
