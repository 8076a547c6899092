"""What every object of Kubernetes' form begins with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.support import Inside, Read

DEFAULT_NAMESPACE = "default"
SUPPRESS = "galley.istio.io/analyze-suppress"

NetworkingVersion = Literal[
    "networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"
]


class Metadata(Part):
    """Name, namespace and what a cluster adds, which has no meaning here."""

    # A cluster writes much that is of use to it alone (uid, managedFields, …).
    model_config = ConfigDict(extra="ignore")

    name: Annotated[StrictStr, Field(min_length=1), Read("names the object")]
    """The object's name."""
    namespace: Annotated[StrictStr, Read("short names are resolved in it")] = DEFAULT_NAMESPACE
    """The object's namespace."""
    labels: Annotated[dict[StrictStr, StrictStr], Read("labels of the object")] = Field(
        default_factory=dict
    )
    """The object's labels."""
    annotations: Annotated[dict[StrictStr, StrictStr], Read("galley.istio.io/analyze-suppress")] = (
        Field(default_factory=dict)
    )
    """Annotations; those of others have no meaning here."""
    creationTimestamp: Annotated[StrictStr | None, Read("the oldest object wins")] = None
    """When a cluster made it."""


class Kind(Part):
    """An object: apiVersion, kind, metadata; a kind adds its spec."""

    metadata: Annotated[Metadata, Inside()]
    """Name and namespace."""
    status: Annotated[object, Read("what a controller wrote; without meaning here")] = None
    """What a cluster's controller says about it."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.metadata.namespace
