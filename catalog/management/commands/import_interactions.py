"""Imports interactions from a CSV or Parquet file."""

from catalog.management.importing import ImportCommand
from catalog.models import Import


class Command(ImportCommand):
    help = "Import interactions from a CSV or Parquet file, in bounded memory. The README lists the columns."
    kind = Import.Kind.INTERACTIONS
