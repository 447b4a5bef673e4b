from explanations.models.checks import VersionCheck
from explanations.models.explanations import Explanation
from explanations.models.frozen import FrozenCounts

__all__ = ["Explanation", "FrozenCounts", "VersionCheck"]
