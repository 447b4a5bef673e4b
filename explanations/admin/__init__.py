from explanations.admin.checks import AuditAdmin, FrozenCountsAdmin, RewritingAdmin, VersionCheckAdmin
from explanations.admin.explanations import ExplanationAdmin

__all__ = ["AuditAdmin", "ExplanationAdmin", "FrozenCountsAdmin", "RewritingAdmin", "VersionCheckAdmin"]
