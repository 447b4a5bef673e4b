from explanations.models.explanations import Explanation

__all__ = ["Explanation"]
