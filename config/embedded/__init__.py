"""PostgreSQL and Valkey from Python wheels, for a machine where neither is installed."""

from config.embedded.services import InUse, Services, ensure_services, release, remove, stop_services

__all__ = ["InUse", "Services", "ensure_services", "release", "remove", "stop_services"]
