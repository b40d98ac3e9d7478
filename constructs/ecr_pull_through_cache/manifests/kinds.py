"""The one table of the kinds of files and resources that name images, and where."""

from __future__ import annotations

from .places import Form, ImagePlaces, table_of

WORKLOADS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "DeploymentConfig",
        "Job",
        "Pod",
        "PodTemplate",
        "ReplicaSet",
        "ReplicationController",
        "Rollout",
        "StatefulSet",
    }
)
"""Kinds that name images in containers and volumes only."""

COMPOSE = "ComposeFile"
GITHUB = "GitHubWorkflow"
GITLAB = "GitLabPipeline"
ECS = "EcsTaskDefinition"
KUSTOMIZATION = "KustomizationFile"
"""Files that are told by their shape: they name no kind."""

_IMAGE = Form.IMAGE
_ANY_DEPTH = {_IMAGE: ["spec.**.image"]}
_SPEC = {_IMAGE: ["spec.image"]}
_KUSTOMIZE = {
    Form.KUSTOMIZE: ["images"],
    Form.MANIFEST: ["patches[].patch", "patchesStrategicMerge[]", "patchesJson6902[].patch"],
    Form.VALUES: ["helmCharts[].valuesInline"],
    Form.CHART: ["helmCharts[].name"],
}
_TEKTON = {_IMAGE: ["**.steps[].image", "**.sidecars[].image", "**.stepTemplate.image"]}
_ARGO_CD = {
    Form.VALUES: ["**.helm.values", "**.helm.valuesObject"],
    Form.PARAMETERS: ["**.helm.parameters"],
    Form.KUSTOMIZE_TEXTS: ["**.kustomize.images"],
    Form.MANIFEST: ["**.kustomize.patches[].patch"],
    Form.CHART: ["**.source.chart", "**.sources[].chart"],
}
_ARGO_WORKFLOW = {
    _IMAGE: ["**.container.image", "**.script.image", "**.sidecars[].image"],
    Form.MANIFEST: ["**.resource.manifest"],
}
_STRIMZI = {Form.MATCHED: ["spec.build.output.image"], **_ANY_DEPTH}
_VICTORIA = {Form.PARTS: ["spec.image", "spec.*.image"]}
_NVIDIA = {Form.PARTS: ["spec", "spec.*", "spec.*.*"]}
_KYVERNO = {
    Form.MATCHED: [
        f"**.{part}.**" for part in ("verifyImages", "validate", "preconditions", "context", "match", "exclude")
    ]
}
_ALL_MATCHED = {Form.MATCHED: ["spec.**"]}
_CHART_OF_K3S = {Form.VALUES: ["spec.valuesContent"], Form.CHART: ["spec.chart"], _IMAGE: ["spec.jobImage"]}
_VIRTUAL_MACHINE = {_IMAGE: ["**.volumes[].containerDisk.image"]}
_ZALANDO = [
    "spec.dockerImage",
    "spec.sidecars[].image",
    "spec.connectionPooler.dockerImage",
    "spec.logicalBackup.dockerImage",
]

_PLACES: dict[str, dict[Form, list[str]]] = {
    # Prometheus operator: https://prometheus-operator.dev/docs/api-reference/api/
    "Alertmanager Prometheus PrometheusAgent ThanosRuler": {
        _IMAGE: ["spec.image", "spec.thanos.image"],
        Form.NAME: ["spec.baseImage", "spec.thanos.baseImage"],
    },
    "GrafanaAgent monitoring.grafana.com/GrafanaAgent": {_IMAGE: ["spec.image", "spec.configReloaderImage"]},
    "VMSingle VMAgent VMAlert VMAlertmanager VMAuth VMCluster VLogs": _VICTORIA,
    "OpenTelemetryCollector": {_IMAGE: ["spec.image", "spec.targetAllocator.image"]},
    "Instrumentation": {_IMAGE: ["spec.*.image"]},
    "TargetAllocator OpAMPBridge": _SPEC,
    "Jaeger": _ANY_DEPTH,
    # Elastic: https://www.elastic.co/docs/reference/cloud-on-k8s
    "Elasticsearch Kibana ApmServer Beat Logstash EnterpriseSearch ElasticMapsServer": _SPEC,
    "agent.k8s.elastic.co/Agent": _SPEC,
    "OpenSearchCluster": _ANY_DEPTH,
    # Databases and queues
    "Cluster": {_IMAGE: ["spec.imageName"]},  # CloudNativePG
    "ImageCatalog ClusterImageCatalog": {_IMAGE: ["spec.images[].image"]},
    "postgresql": {_IMAGE: _ZALANDO},
    "OperatorConfiguration": {_IMAGE: ["configuration.docker_image", "configuration.*.*_image"]},
    "CephCluster": {_IMAGE: ["spec.cephVersion.image"]},
    "CassandraDatacenter": {_IMAGE: ["spec.serverImage", "spec.systemLoggerImage", "spec.configBuilderImage"]},
    "Kafka KafkaBridge KafkaConnect KafkaMirrorMaker KafkaMirrorMaker2 KafkaNodePool": _STRIMZI,
    (
        "PostgresCluster PerconaXtraDBCluster PerconaServerMongoDB PerconaServerMySQL PerconaPGCluster RedisFailover "
        "Redis RedisCluster RabbitmqCluster MariaDB Tenant Keycloak"
    ): _ANY_DEPTH,
    # Pipelines: https://tekton.dev/docs/pipelines/ and https://argo-workflows.readthedocs.io/en/latest/fields/
    "Task ClusterTask TaskRun Pipeline PipelineRun TriggerTemplate": _TEKTON,
    "StepAction": _SPEC,
    "Workflow WorkflowTemplate ClusterWorkflowTemplate CronWorkflow": _ARGO_WORKFLOW,
    "BuildStrategy ClusterBuildStrategy": {_IMAGE: ["spec.steps[].image", "spec.buildSteps[].image"]},
    "shipwright.io/Build": {Form.MATCHED: ["spec.output.image"]},
    "kpack.io/Image": {Form.MATCHED: ["spec.tag", "spec.additionalTags[]"]},
    "RunnerDeployment RunnerReplicaSet": {_IMAGE: ["spec.template.spec.image", "spec.template.spec.dockerImage"]},
    "Runner": _SPEC,
    # Data
    "SparkApplication ScheduledSparkApplication": _ANY_DEPTH,
    "FlinkDeployment FlinkSessionJob": _SPEC,
    # GitOps
    "argoproj.io/Application argoproj.io/ApplicationSet": _ARGO_CD,
    "HelmRelease": {
        Form.VALUES: ["spec.values"],
        Form.KUSTOMIZE: ["spec.postRenderers[].kustomize.images"],
        Form.MANIFEST: ["spec.postRenderers[].kustomize.patches[].patch"],
        Form.CHART: ["spec.chart.spec.chart", "spec.chartRef.name"],
    },
    "helm.cattle.io/HelmChart helm.cattle.io/HelmChartConfig": _CHART_OF_K3S,
    "kustomize.toolkit.fluxcd.io/Kustomization": {
        Form.KUSTOMIZE: ["spec.images"],
        Form.MANIFEST: ["spec.patches[].patch"],
    },
    f"kustomize.config.k8s.io/Kustomization kustomize.config.k8s.io/Component {KUSTOMIZATION}": _KUSTOMIZE,
    # Operators and platforms
    "CatalogSource": _SPEC,
    "ClusterServiceVersion": {_IMAGE: ["spec.relatedImages[].image"]},
    "pkg.crossplane.io/Provider pkg.crossplane.io/Configuration pkg.crossplane.io/Function": {_IMAGE: ["spec.package"]},
    "EnvoyProxy": {_IMAGE: ["spec.provider.kubernetes.*.container.image", "spec.**.shutdownManager.image"]},
    "VirtualMachine VirtualMachineInstance VirtualMachineInstanceReplicaSet VirtualMachinePool": _VIRTUAL_MACHINE,
    "DataVolume": {_IMAGE: ["spec.source.registry.url"]},
    "nvidia.com/ClusterPolicy": _NVIDIA,
    "nvidia.com/NVIDIADriver": _NVIDIA,
    "mellanox.com/NicClusterPolicy": _NVIDIA,
    "ImageStream": {_IMAGE: ["spec.tags[].from.name", "spec.dockerImageRepository"]},
    "BuildConfig": {_IMAGE: ["spec.strategy.*.from.name"], Form.MATCHED: ["spec.output.to.name"]},
    # Whatever compares, scans, builds or pushes
    "kyverno.io/ClusterPolicy kyverno.io/Policy": _KYVERNO,
    "policies.kyverno.io/*": _ALL_MATCHED,
    "policy.sigstore.dev/*": _ALL_MATCHED,
    "constraints.gatekeeper.sh/*": _ALL_MATCHED,
    "templates.gatekeeper.sh/*": _ALL_MATCHED,
    "ValidatingAdmissionPolicy MutatingAdmissionPolicy": _ALL_MATCHED,
    "ImageContentSourcePolicy ImageDigestMirrorSet ImageTagMirrorSet": _ALL_MATCHED,
    "image.toolkit.fluxcd.io/ImageRepository": _ALL_MATCHED,
    "Config": {Form.MATCHED: ["build.artifacts[].**"]},  # Skaffold
    # Files without a kind
    COMPOSE: {_IMAGE: ["services.*.image"]},
    GITHUB: {
        _IMAGE: [
            "jobs.*.container",
            "jobs.*.container.image",
            "jobs.*.services.*.image",
            "**.steps[].uses",
            "runs.image",
        ]
    },
    GITLAB: {
        _IMAGE: [
            *(
                f"{job}{place}"
                for job in ("", "*.")
                for place in ("image", "image.name", "services[]", "services[].name")
            ),
        ]
    },
    ECS: {_IMAGE: ["containerDefinitions[].image"]},
}

KNOWN = ImagePlaces(
    anywhere=table_of(
        {
            _IMAGE: [
                *(f"**.{field}[].image" for field in ("containers", "initContainers", "ephemeralContainers")),
                "**.volumes[].image.reference",
            ]
        }
    ),
    in_kind={kind: table_of(paths) for kinds, paths in _PLACES.items() for kind in kinds.split()},
)
"""Every workload of Kubernetes, whatever contains a Pod's template, and the custom resources and files that are in wide use."""
