from explanations.admin.checks import AuditAdmin, RewritingAdmin, VersionCheckAdmin
from explanations.admin.explanations import ExplanationAdmin

__all__ = ["AuditAdmin", "ExplanationAdmin", "RewritingAdmin", "VersionCheckAdmin"]
