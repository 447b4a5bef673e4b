"""The catalogue's pages in the admin."""

from catalog.admin import accounts, imports, interactions, products, quality, wishes

__all__ = ["accounts", "imports", "interactions", "products", "quality", "wishes"]
