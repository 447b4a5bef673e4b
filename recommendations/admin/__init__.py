"""Trainings, runs and slates in the admin."""

from recommendations.admin import runs, slates, versions

__all__ = ["runs", "slates", "versions"]
