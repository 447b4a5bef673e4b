from recommendations.models.runs import Placement, Run, Shard, Slate
from recommendations.models.texts import TextVector
from recommendations.models.versions import (
    ArtifactChunk,
    ModelVersion,
    Snapshot,
    TrainingEpoch,
)

__all__ = [
    "ArtifactChunk",
    "ModelVersion",
    "Placement",
    "Run",
    "Shard",
    "Slate",
    "Snapshot",
    "TextVector",
    "TrainingEpoch",
]
