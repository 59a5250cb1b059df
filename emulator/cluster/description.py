"""What the fake cluster is called and made of: its name, its nodes, its manifest."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from xml.sax.saxutils import quoteattr  # only writes

from emulator.cluster.manifests import FABRIC_NAMESPACE

IMAGE_STORE: Final = "fabric:ImageStore"
"""The image store connection string that means the cluster's own image store service."""

NODE_TYPE: Final = "NodeType0"
CONFIG_VERSION: Final = "1.0"
_GATEWAY_PORT: Final = 19080
_CLIENT_PORT: Final = 19000
_UPGRADE_DOMAINS: Final = 5
_SEED_NODES: Final = 5


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is up, and nothing more."""

    name: str
    number: int

    @property
    def id(self) -> str:
        """128 bits that go with the name."""
        return hashlib.md5(self.name.encode(), usedforsecurity=False).hexdigest()

    @property
    def upgrade_domain(self) -> str:
        """Nodes are spread over up to five."""
        return f"UD{self.number % _UPGRADE_DOMAINS}"

    @property
    def fault_domain(self) -> str:
        """As many as upgrade domains."""
        return f"fd:/{self.number % _UPGRADE_DOMAINS}"

    @property
    def is_seed(self) -> bool:
        """The first ones are."""
        return self.number < _SEED_NODES


@dataclass(frozen=True)
class Cluster:
    """The whole of it."""

    name: str
    node_count: int
    node_prefix: str

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in order."""
        return tuple(Node(f"{self.node_prefix}{number}", number) for number in range(self.node_count))

    @property
    def upgrade_domains(self) -> list[str]:
        """The names of those that have nodes."""
        return sorted({node.upgrade_domain for node in self.nodes})

    def node(self, name: str) -> Node | None:
        """The node of this name."""
        return next((node for node in self.nodes if node.name == name), None)

    @cached_property
    def manifest(self) -> str:
        """The cluster manifest: what clients look for in one, above all where the image store is."""
        nodes = "\n".join(
            f'        <Node NodeName={quoteattr(node.name)} IPAddressOrFQDN="localhost" '
            f'IsSeedNode="{str(node.is_seed).lower()}" NodeTypeRef="{NODE_TYPE}" '
            f'FaultDomain="{node.fault_domain}" UpgradeDomain="{node.upgrade_domain}" />'
            for node in self.nodes
        )
        return f"""<?xml version="1.0" encoding="utf-8"?>
<ClusterManifest xmlns="{FABRIC_NAMESPACE}" Name={quoteattr(self.name)} Version="{CONFIG_VERSION}" \
Description="Image Store emulator: there is no cluster behind this manifest">
  <NodeTypes>
    <NodeType Name="{NODE_TYPE}">
      <Endpoints>
        <ClientConnectionEndpoint Port="{_CLIENT_PORT}" />
        <HttpGatewayEndpoint Port="{_GATEWAY_PORT}" Protocol="http" />
      </Endpoints>
    </NodeType>
  </NodeTypes>
  <Infrastructure>
    <WindowsServer IsScaleMin="true">
      <NodeList>
{nodes}
      </NodeList>
    </WindowsServer>
  </Infrastructure>
  <FabricSettings>
    <Section Name="Security">
      <Parameter Name="ClusterCredentialType" Value="None" />
      <Parameter Name="ServerAuthCredentialType" Value="None" />
    </Section>
    <Section Name="ImageStoreService">
      <Parameter Name="MinReplicaSetSize" Value="1" />
      <Parameter Name="TargetReplicaSetSize" Value="{min(self.node_count, _SEED_NODES)}" />
    </Section>
    <Section Name="Management">
      <Parameter Name="ImageStoreConnectionString" Value="{IMAGE_STORE}" />
    </Section>
  </FabricSettings>
</ClusterManifest>
"""
