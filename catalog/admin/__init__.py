"""The catalogue's pages in the admin."""

from catalog.admin import accounts, imports, interactions, products, quality

__all__ = ["accounts", "imports", "interactions", "products", "quality"]
