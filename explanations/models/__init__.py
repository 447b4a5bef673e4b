from explanations.models.checks import VersionCheck
from explanations.models.explanations import Explanation

__all__ = ["Explanation", "VersionCheck"]
