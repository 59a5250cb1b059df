"""The operations of the Service Fabric client API that are not emulated: each is answered 501, by its name.

The list is that of the published REST contract (swagger, version 8.2). It is looked at only where no other route
matches, so it costs nothing before.
"""

import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final

from starlette.responses import Response

from emulator.api.call import Call
from emulator.api.exchange import Operation
from emulator.protocol.errors import FabricError

_NOT_EMULATED: Final = """
PUT /Resources/Applications/{} MeshApplication_CreateOrUpdate
GET /Resources/Applications/{} MeshApplication_Get
DELETE /Resources/Applications/{} MeshApplication_Delete
GET /Resources/Applications MeshApplication_List
GET /Resources/Applications/{}/$/GetUpgradeProgress MeshApplication_GetUpgradeProgress
GET /Resources/Applications/{}/Services/{}/Replicas/{}/CodePackages/{}/Logs MeshCodePackage_GetContainerLogs
PUT /Resources/Gateways/{} MeshGateway_CreateOrUpdate
GET /Resources/Gateways/{} MeshGateway_Get
DELETE /Resources/Gateways/{} MeshGateway_Delete
GET /Resources/Gateways MeshGateway_List
PUT /Resources/Networks/{} MeshNetwork_CreateOrUpdate
GET /Resources/Networks/{} MeshNetwork_Get
DELETE /Resources/Networks/{} MeshNetwork_Delete
GET /Resources/Networks MeshNetwork_List
PUT /Resources/Secrets/{} MeshSecret_CreateOrUpdate
GET /Resources/Secrets/{} MeshSecret_Get
DELETE /Resources/Secrets/{} MeshSecret_Delete
GET /Resources/Secrets MeshSecret_List
PUT /Resources/Secrets/{}/values/{} MeshSecretValue_AddValue
GET /Resources/Secrets/{}/values/{} MeshSecretValue_Get
DELETE /Resources/Secrets/{}/values/{} MeshSecretValue_Delete
GET /Resources/Secrets/{}/values MeshSecretValue_List
POST /Resources/Secrets/{}/values/{}/list_value MeshSecretValue_Show
GET /Resources/Applications/{}/Services/{} MeshService_Get
GET /Resources/Applications/{}/Services MeshService_List
GET /Resources/Applications/{}/Services/{}/Replicas/{} MeshServiceReplica_Get
GET /Resources/Applications/{}/Services/{}/Replicas MeshServiceReplica_List
PUT /Resources/Volumes/{} MeshVolume_CreateOrUpdate
GET /Resources/Volumes/{} MeshVolume_Get
DELETE /Resources/Volumes/{} MeshVolume_Delete
GET /Resources/Volumes MeshVolume_List
POST /$/ReportClusterHealth ReportClusterHealth
GET /$/GetProvisionedCodeVersions GetProvisionedFabricCodeVersionInfoList
GET /$/GetProvisionedConfigVersions GetProvisionedFabricConfigVersionInfoList
GET /$/GetClusterConfiguration GetClusterConfiguration
GET /$/GetClusterConfigurationUpgradeStatus GetClusterConfigurationUpgradeStatus
GET /$/GetUpgradeOrchestrationServiceState GetUpgradeOrchestrationServiceState
POST /$/SetUpgradeOrchestrationServiceState SetUpgradeOrchestrationServiceState
POST /$/Provision ProvisionCluster
POST /$/Unprovision UnprovisionCluster
POST /$/RollbackUpgrade RollbackClusterUpgrade
POST /$/MoveToNextUpgradeDomain ResumeClusterUpgrade
POST /$/Upgrade StartClusterUpgrade
POST /$/StartClusterConfigurationUpgrade StartClusterConfigurationUpgrade
POST /$/UpdateUpgrade UpdateClusterUpgrade
POST /$/ToggleVerboseServicePlacementHealthReporting ToggleVerboseServicePlacementHealthReporting
POST /$/ValidateUpgrade ValidateClusterUpgrade
POST /Nodes/{}/$/ReportHealth ReportNodeHealth
POST /Nodes/{}/$/Deactivate DisableNode
POST /Nodes/{}/$/Activate EnableNode
POST /Nodes/{}/$/RemoveNodeState RemoveNodeState
POST /Nodes/{}/$/Restart RestartNode
DELETE /Nodes/{}/$/RemoveConfigurationOverrides RemoveConfigurationOverrides
GET /Nodes/{}/$/GetConfigurationOverrides GetConfigurationOverrides
POST /Nodes/{}/$/AddConfigurationParameterOverrides AddConfigurationParameterOverrides
POST /Nodes/{}/$/RemoveNodeTags RemoveNodeTags
POST /Nodes/{}/$/AddNodeTags AddNodeTags
GET /Nodes/{}/$/GetApplications/{}/$/GetServiceTypes GetDeployedServiceTypeInfoList
GET /Nodes/{}/$/GetApplications/{}/$/GetServiceTypes/{} GetDeployedServiceTypeInfoByName
POST /Applications/$/Create CreateApplication
POST /Applications/{}/$/Delete DeleteApplication
GET /Applications/{}/$/GetLoadInformation GetApplicationLoadInfo
GET /Applications/{}/$/GetHealth GetApplicationHealth
POST /Applications/{}/$/GetHealth GetApplicationHealthUsingPolicy
POST /Applications/{}/$/ReportHealth ReportApplicationHealth
POST /Applications/{}/$/Upgrade StartApplicationUpgrade
GET /Applications/{}/$/GetUpgradeProgress GetApplicationUpgrade
POST /Applications/{}/$/UpdateUpgrade UpdateApplicationUpgrade
POST /Applications/{}/$/Update UpdateApplication
POST /Applications/{}/$/MoveToNextUpgradeDomain ResumeApplicationUpgrade
POST /Applications/{}/$/RollbackUpgrade RollbackApplicationUpgrade
GET /Nodes/{}/$/GetApplications/{} GetDeployedApplicationInfo
GET /Nodes/{}/$/GetApplications/{}/$/GetHealth GetDeployedApplicationHealth
POST /Nodes/{}/$/GetApplications/{}/$/GetHealth GetDeployedApplicationHealthUsingPolicy
POST /Nodes/{}/$/GetApplications/{}/$/ReportHealth ReportDeployedApplicationHealth
GET /Applications/{}/$/GetServices/{} GetServiceInfo
GET /Services/{}/$/GetApplicationName GetApplicationNameInfo
POST /Applications/{}/$/GetServices/$/Create CreateService
POST /Applications/{}/$/GetServices/$/CreateFromTemplate CreateServiceFromTemplate
POST /Services/{}/$/Delete DeleteService
POST /Services/{}/$/Update UpdateService
GET /Services/{}/$/GetDescription GetServiceDescription
GET /Services/{}/$/GetHealth GetServiceHealth
POST /Services/{}/$/GetHealth GetServiceHealthUsingPolicy
POST /Services/{}/$/ReportHealth ReportServiceHealth
GET /Services/{}/$/ResolvePartition ResolveService
GET /Services/{}/$/GetUnplacedReplicaInformation GetUnplacedReplicaInformation
GET /$/GetLoadedPartitionInfoList GetLoadedPartitionInfoList
GET /Services/{}/$/GetPartitions GetPartitionInfoList
GET /Partitions/{} GetPartitionInfo
GET /Partitions/{}/$/GetServiceName GetServiceNameInfo
GET /Partitions/{}/$/GetHealth GetPartitionHealth
POST /Partitions/{}/$/GetHealth GetPartitionHealthUsingPolicy
POST /Partitions/{}/$/ReportHealth ReportPartitionHealth
GET /Partitions/{}/$/GetLoadInformation GetPartitionLoadInformation
POST /Partitions/{}/$/ResetLoad ResetPartitionLoad
POST /Partitions/{}/$/Recover RecoverPartition
POST /Services/$/{}/$/GetPartitions/$/Recover RecoverServicePartitions
POST /$/RecoverSystemPartitions RecoverSystemPartitions
POST /$/RecoverAllPartitions RecoverAllPartitions
POST /Partitions/{}/$/MovePrimaryReplica MovePrimaryReplica
POST /Partitions/{}/$/MoveSecondaryReplica MoveSecondaryReplica
POST /$/UpdatePartitionLoad UpdatePartitionLoad
POST /Services/{}/$/GetPartitions/{}/$/MoveInstance MoveInstance
POST /Services/{}/$/GetPartitions/{}/$/MoveAuxiliaryReplica MoveAuxiliaryReplica
POST /$/CreateRepairTask CreateRepairTask
POST /$/CancelRepairTask CancelRepairTask
POST /$/DeleteRepairTask DeleteRepairTask
GET /$/GetRepairTaskList GetRepairTaskList
POST /$/ForceApproveRepairTask ForceApproveRepairTask
POST /$/UpdateRepairTaskHealthPolicy UpdateRepairTaskHealthPolicy
POST /$/UpdateRepairExecutionState UpdateRepairExecutionState
GET /Partitions/{}/$/GetReplicas GetReplicaInfoList
GET /Partitions/{}/$/GetReplicas/{} GetReplicaInfo
GET /Partitions/{}/$/GetReplicas/{}/$/GetHealth GetReplicaHealth
POST /Partitions/{}/$/GetReplicas/{}/$/GetHealth GetReplicaHealthUsingPolicy
POST /Partitions/{}/$/GetReplicas/{}/$/ReportHealth ReportReplicaHealth
GET /Nodes/{}/$/GetApplications/{}/$/GetReplicas GetDeployedServiceReplicaInfoList
GET /Nodes/{}/$/GetPartitions/{}/$/GetReplicas/{}/$/GetDetail GetDeployedServiceReplicaDetailInfo
GET /Nodes/{}/$/GetPartitions/{}/$/GetReplicas GetDeployedServiceReplicaDetailInfoByPartitionId
POST /Nodes/{}/$/GetPartitions/{}/$/GetReplicas/{}/$/Restart RestartReplica
POST /Nodes/{}/$/GetPartitions/{}/$/GetReplicas/{}/$/Delete RemoveReplica
GET /Nodes/{}/$/GetApplications/{}/$/GetServicePackages GetDeployedServicePackageInfoList
GET /Nodes/{}/$/GetApplications/{}/$/GetServicePackages/{} GetDeployedServicePackageInfoListByName
GET /Nodes/{}/$/GetApplications/{}/$/GetServicePackages/{}/$/GetHealth GetDeployedServicePackageHealth
POST /Nodes/{}/$/GetApplications/{}/$/GetServicePackages/{}/$/GetHealth GetDeployedServicePackageHealthUsingPolicy
POST /Nodes/{}/$/GetApplications/{}/$/GetServicePackages/{}/$/ReportHealth ReportDeployedServicePackageHealth
POST /Nodes/{}/$/DeployServicePackage DeployServicePackageToNode
GET /Nodes/{}/$/GetApplications/{}/$/GetCodePackages GetDeployedCodePackageInfoList
POST /Nodes/{}/$/GetApplications/{}/$/GetCodePackages/$/Restart RestartDeployedCodePackage
GET /Nodes/{}/$/GetApplications/{}/$/GetCodePackages/$/ContainerLogs GetContainerLogsDeployedOnNode
POST /Nodes/{}/$/GetApplications/{}/$/GetCodePackages/$/ContainerApi InvokeContainerApi
PUT /ComposeDeployments/$/Create CreateComposeDeployment
GET /ComposeDeployments/{} GetComposeDeploymentStatus
GET /ComposeDeployments/{}/$/GetUpgradeProgress GetComposeDeploymentUpgradeProgress
POST /ComposeDeployments/{}/$/Delete RemoveComposeDeployment
POST /ComposeDeployments/{}/$/Upgrade StartComposeDeploymentUpgrade
POST /ComposeDeployments/{}/$/RollbackUpgrade StartRollbackComposeDeploymentUpgrade
GET /Tools/Chaos GetChaos
POST /Tools/Chaos/$/Start StartChaos
POST /Tools/Chaos/$/Stop StopChaos
GET /Tools/Chaos/Events GetChaosEvents
GET /Tools/Chaos/Schedule GetChaosSchedule
POST /Tools/Chaos/Schedule PostChaosSchedule
POST /$/InvokeInfrastructureCommand InvokeInfrastructureCommand
GET /$/InvokeInfrastructureQuery InvokeInfrastructureQuery
POST /Faults/Services/{}/$/GetPartitions/{}/$/StartDataLoss StartDataLoss
GET /Faults/Services/{}/$/GetPartitions/{}/$/GetDataLossProgress GetDataLossProgress
POST /Faults/Services/{}/$/GetPartitions/{}/$/StartQuorumLoss StartQuorumLoss
GET /Faults/Services/{}/$/GetPartitions/{}/$/GetQuorumLossProgress GetQuorumLossProgress
POST /Faults/Services/{}/$/GetPartitions/{}/$/StartRestart StartPartitionRestart
GET /Faults/Services/{}/$/GetPartitions/{}/$/GetRestartProgress GetPartitionRestartProgress
POST /Faults/Nodes/{}/$/StartTransition StartNodeTransition
GET /Faults/Nodes/{}/$/GetTransitionProgress GetNodeTransitionProgress
GET /Faults GetFaultOperationList
POST /Faults/$/Cancel CancelOperation
POST /BackupRestore/BackupPolicies/$/Create CreateBackupPolicy
POST /BackupRestore/BackupPolicies/{}/$/Delete DeleteBackupPolicy
GET /BackupRestore/BackupPolicies GetBackupPolicyList
GET /BackupRestore/BackupPolicies/{} GetBackupPolicyByName
GET /BackupRestore/BackupPolicies/{}/$/GetBackupEnabledEntities GetAllEntitiesBackedUpByPolicy
POST /BackupRestore/BackupPolicies/{}/$/Update UpdateBackupPolicy
POST /Applications/{}/$/EnableBackup EnableApplicationBackup
POST /Applications/{}/$/DisableBackup DisableApplicationBackup
GET /Applications/{}/$/GetBackupConfigurationInfo GetApplicationBackupConfigurationInfo
GET /Applications/{}/$/GetBackups GetApplicationBackupList
POST /Applications/{}/$/SuspendBackup SuspendApplicationBackup
POST /Applications/{}/$/ResumeBackup ResumeApplicationBackup
POST /Services/{}/$/EnableBackup EnableServiceBackup
POST /Services/{}/$/DisableBackup DisableServiceBackup
GET /Services/{}/$/GetBackupConfigurationInfo GetServiceBackupConfigurationInfo
GET /Services/{}/$/GetBackups GetServiceBackupList
POST /Services/{}/$/SuspendBackup SuspendServiceBackup
POST /Services/{}/$/ResumeBackup ResumeServiceBackup
POST /Partitions/{}/$/EnableBackup EnablePartitionBackup
POST /Partitions/{}/$/DisableBackup DisablePartitionBackup
GET /Partitions/{}/$/GetBackupConfigurationInfo GetPartitionBackupConfigurationInfo
GET /Partitions/{}/$/GetBackups GetPartitionBackupList
POST /Partitions/{}/$/SuspendBackup SuspendPartitionBackup
POST /Partitions/{}/$/ResumeBackup ResumePartitionBackup
POST /Partitions/{}/$/Backup BackupPartition
GET /Partitions/{}/$/GetBackupProgress GetPartitionBackupProgress
POST /Partitions/{}/$/Restore RestorePartition
GET /Partitions/{}/$/GetRestoreProgress GetPartitionRestoreProgress
POST /BackupRestore/$/GetBackups GetBackupsFromBackupLocation
POST /Names/$/Create CreateName
GET /Names/{} GetNameExistsInfo
DELETE /Names/{} DeleteName
GET /Names/{}/$/GetSubNames GetSubNameInfoList
GET /Names/{}/$/GetProperties GetPropertyInfoList
PUT /Names/{}/$/GetProperty PutProperty
GET /Names/{}/$/GetProperty GetPropertyInfo
DELETE /Names/{}/$/GetProperty DeleteProperty
POST /Names/{}/$/GetProperties/$/SubmitBatch SubmitPropertyBatch
GET /EventsStore/Cluster/Events GetClusterEventList
GET /EventsStore/Containers/Events GetContainersEventList
GET /EventsStore/Nodes/{}/$/Events GetNodeEventList
GET /EventsStore/Nodes/Events GetNodesEventList
GET /EventsStore/Applications/{}/$/Events GetApplicationEventList
GET /EventsStore/Applications/Events GetApplicationsEventList
GET /EventsStore/Services/{}/$/Events GetServiceEventList
GET /EventsStore/Services/Events GetServicesEventList
GET /EventsStore/Partitions/{}/$/Events GetPartitionEventList
GET /EventsStore/Partitions/Events GetPartitionsEventList
GET /EventsStore/Partitions/{}/$/Replicas/{}/$/Events GetPartitionReplicaEventList
GET /EventsStore/Partitions/{}/$/Replicas/Events GetPartitionReplicasEventList
GET /EventsStore/CorrelatedEvents/{}/$/Events GetCorrelatedEventList
"""
"""Verb, path, name; ``{}`` stands for anything but a ``$``."""

_ANYTHING: Final = r"(?!\$(?:/|\Z))[^/]+(?:/(?!\$(?:/|\Z))[^/]+)*"


def operation_not_emulated(verb: str, path: str) -> Operation | None:
    """The operation that a cluster would do on this request, if there is one."""
    for expression, operation in _by_verb().get(verb, []):
        if expression.fullmatch(path):
            return operation
    return None


def names_of_not_emulated() -> list[str]:
    """All of their names."""
    return [line.split()[2] for line in _NOT_EMULATED.strip().splitlines()]


@cache
def _by_verb() -> dict[str, list[tuple[re.Pattern[str], Operation]]]:
    found: dict[str, list[tuple[re.Pattern[str], Operation]]] = {}
    for verb, path, name in sorted(map(str.split, _NOT_EMULATED.strip().splitlines()), key=_words, reverse=True):
        expression = re.compile(_ANYTHING.join(map(re.escape, path.split("{}"))))
        found.setdefault(verb, []).append((expression, Operation(name, verb, path, _refusing(name))))
    return found


def _words(line: list[str]) -> int:
    """How much of a path is given: of two that match, the one that says more is meant."""
    return len(line[1].replace("{}", ""))


def _refusing(name: str) -> Callable[[Call], Awaitable[Response]]:
    async def refuse(call: Call) -> Response:
        await call.body.drop()
        raise FabricError(
            "E_NOTIMPL",
            f"The method or operation is not implemented: {name}.",
            why="this emulator has an image store and the application types in it, and no cluster that could do that",
        )

    return refuse
