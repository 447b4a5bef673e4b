"""The catalogue's pages in the admin."""

from catalog.admin import accounts, imports, impressions, interactions, products, quality, wishes

__all__ = ["accounts", "imports", "impressions", "interactions", "products", "quality", "wishes"]
