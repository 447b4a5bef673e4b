"""Contract → sentences, when somebody reads: wording and languages change without re-computing anything."""

from explanations.phrasing.phrased import Phrased, phrase
from explanations.phrasing.statements import Statement
from explanations.phrasing.text import Segment, plain

__all__ = ["Phrased", "Segment", "Statement", "phrase", "plain"]
