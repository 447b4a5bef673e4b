from explanations.admin.checks import AuditAdmin, FrozenCountsAdmin, RecountAdmin, RewritingAdmin, VersionCheckAdmin
from explanations.admin.explanations import ExplanationAdmin

__all__ = ["AuditAdmin", "ExplanationAdmin", "FrozenCountsAdmin", "RecountAdmin", "RewritingAdmin", "VersionCheckAdmin"]
