"""LiteRT: tflite-runtime's successor, with the same Interpreter."""

from .base import MODELS
from .tflite import TfliteModel


class LitertModel(TfliteModel):
    PACKAGE = "ai_edge_litert"
    FORKABLE = "ai_edge_litert.interpreter"


MODELS["litert"] = LitertModel
