from explanations.models.audits import Audit
from explanations.models.checks import VersionCheck
from explanations.models.explanations import Explanation
from explanations.models.frozen import FrozenCounts, OfferedProducts
from explanations.models.recounts import Recount
from explanations.models.rewritings import Rewriting

__all__ = ["Audit", "Explanation", "FrozenCounts", "OfferedProducts", "Recount", "Rewriting", "VersionCheck"]
