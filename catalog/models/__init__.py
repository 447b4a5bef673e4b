from catalog.models.accounts import Partner, PartnerKey, Scope, Shopper, User
from catalog.models.imports import Import, ImportRejection
from catalog.models.impressions import Impression
from catalog.models.interactions import EventType, Interaction
from catalog.models.products import Category, Product
from catalog.models.quality import QualityReport
from catalog.models.wishes import LessOfGroup

__all__ = [
    "Category",
    "EventType",
    "Import",
    "ImportRejection",
    "Impression",
    "Interaction",
    "LessOfGroup",
    "Partner",
    "PartnerKey",
    "Product",
    "QualityReport",
    "Scope",
    "Shopper",
    "User",
]
