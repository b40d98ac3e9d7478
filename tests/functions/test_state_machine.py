"""The state machine, checked and run: moto's interpreter of the Amazon States Language, S3, and the functions as they are."""

import json
from collections import Counter
from dataclasses import replace

import boto3
import pytest
from cfnlint.api import ManualArgs, lint
from moto import mock_aws
from moto.server import ThreadedMotoServer

from ecr_pull_through_cache import CachedUpstream, CacheMapping, Upstream
from ecr_pull_through_cache.day_two._warmer_states import LIST_KEY, definition
from ecr_pull_through_cache.functions.contract import SETTINGS, settings
from tests.emulators.ecr_api import ecr_api
from tests.real.lambdas import Lambda, asset, runtime
from tests.real.registries import cache

HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:{}"
DEFINITION = definition(
    import_function=FUNCTION.format("warming"),
    report_function=FUNCTION.format("reporting"),
    bucket="warmer",
    max_concurrency=2,
)


def findings(states) -> list[str]:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": "arn:aws:iam::111122223333:role/r", "DefinitionString": json.dumps(states)},
    }
    return [str(match) for match in lint(json.dumps({"Resources": {"Machine": machine}}), config=ManualArgs())]


class TestDefinition:
    def test_it_is_in_the_amazon_states_language(self):
        assert findings(DEFINITION) == []

    @pytest.mark.parametrize("state", ["Warm", "Report"])
    def test_the_check_would_find_a_mistake(self, state):
        broken = json.loads(json.dumps(DEFINITION))
        broken["States"][state]["Type"] = "Maps"
        assert findings(broken)

    def test_every_state_leads_somewhere_and_is_led_to(self):
        batch = DEFINITION["States"]["Warm"]["ItemProcessor"]
        for machine in (DEFINITION, batch):
            states = machine["States"]
            chosen = [choice["Next"] for state in states.values() for choice in state.get("Choices", ())]
            targets = [state[key] for state in states.values() for key in ("Next", "Default") if key in state]
            assert {machine["StartAt"], *chosen, *targets} == set(states)


class Cloud:
    """S3 and Step Functions of moto; Lambda is Python with nothing but its runtime."""

    def __init__(self, functions: Lambda, endpoint: str) -> None:
        self.functions = replace(functions, environment={**functions.environment, "AWS_ENDPOINT_URL_S3": endpoint})
        self.s3 = boto3.client("s3", region_name="eu-west-1")
        self.states = boto3.client("stepfunctions", region_name="eu-west-1")
        self.invocations = Counter()
        self.batches = []

    def invoke(self, parameters, region, state_credentials):
        name = parameters["FunctionName"].rpartition(":")[2]
        self.invocations[name] += 1
        handler = f"ecr_pull_through_cache.functions.{name}.handler"
        result = self.functions.invoke(handler, json.loads(parameters["Payload"]))
        if name == "warming":
            self.batches.append(result)
            result = {**result, "pause": 1}  # the machine waits for as long as it is told; the test does not
        return {"StatusCode": 200, "Payload": result}

    def batch(self, original):
        """What the engine does not know: `ItemBatcher`. It was taken out of the definition, and is done here."""
        most = DEFINITION["States"]["Warm"]["ItemBatcher"]["MaxItemsPerBatch"]

        def read(transformer, env):
            original(transformer, env)
            items = env.stack.pop()
            env.stack.append([{"Items": items[n : n + most]} for n in range(0, len(items), most)])

        return read

    def write_results(self, original):
        """What the engine's result writer leaves out: the files of results that its manifest names."""

        def handler(env, part, credentials):
            parameters, outputs = env.stack[-1], env.stack[-2]
            original(env, part, credentials)
            where = env.stack[-1]["ResultWriterDetails"]
            key = where["Key"].replace("manifest.json", "SUCCEEDED_0.json")
            batches = [{"Status": "SUCCEEDED", "Output": json.dumps(output)} for output in outputs]
            manifest = json.loads(self.s3.get_object(**where)["Body"].read())
            manifest["ResultFiles"]["SUCCEEDED"] = [{"Key": key, "Size": len(batches)}]
            self.s3.put_object(Bucket=parameters["Bucket"], Key=key, Body=json.dumps(batches))
            self.s3.put_object(**where, Body=json.dumps(manifest))

        return handler

    def run(self, images: str) -> dict:
        self.s3.put_object(Bucket="warmer", Key=LIST_KEY, Body=images.encode())
        known = json.loads(json.dumps(DEFINITION))
        del known["States"]["Warm"]["ItemBatcher"]
        known["States"]["Warm"]["ToleratedFailurePercentage"] = 100.0  # the engine's grammar wants the decimal point
        machine = self.states.create_state_machine(
            name="warmer", definition=json.dumps(known), roleArn="arn:aws:iam::111122223333:role/r"
        )["stateMachineArn"]
        given = json.dumps({"bucket": "warmer", "key": LIST_KEY})
        execution = self.states.start_execution(stateMachineArn=machine, input=given, name="run-1")["executionArn"]
        while True:
            state = self.states.describe_execution(executionArn=execution)
            if state["status"] != "RUNNING":
                return state


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_output_transformer.transformer_csv import (
        ResourceOutputTransformerCSV,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval.resource_eval_s3 import (
        ResourceEvalS3,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "x")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    with cache() as registry, ecr_api() as api, mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        server.start()
        host, port = server.get_host_and_port()
        mapping = CacheMapping.of(HOST, [CachedUpstream(upstream=Upstream.KUBERNETES, repository_prefix="k8s")])
        told = json.dumps(settings(mapping, registry_url=f"http://{registry.host}", rounds=3))
        functions = Lambda(
            asset(tmp_path / "asset.zip"),
            runtime(tmp_path / "runtime"),
            {SETTINGS: told, "AWS_ENDPOINT_URL_ECR": api.url},
        )
        it = Cloud(functions, f"http://{host}:{port}")
        it.registry, it.api = registry, api
        it.s3.create_bucket(Bucket="warmer", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", it.invoke)
        reader = ResourceOutputTransformerCSV._eval_body
        monkeypatch.setattr(ResourceOutputTransformerCSV, "_eval_body", it.batch(reader))
        writer = ResourceEvalS3._handle_put_object
        monkeypatch.setattr(ResourceEvalS3, "_handle_put_object", staticmethod(it.write_results(writer)))
        yield it
        server.stop()


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.xdist_group("registry")
def test_a_list_in_s3_becomes_imports_and_a_report(cloud):
    tags = [f"1.{n}" for n in range(45)]
    for tag in tags:
        cloud.registry.upstream.image("app", tag, platforms=("linux/amd64",))
    busy = {"left": 6}

    def choose(path):
        if path.endswith("/1.44") and busy["left"]:
            busy["left"] -= 1
            return "503"
        return None

    cloud.registry.faults.choose = choose
    lines = [
        "# what the clusters need",
        *(f"registry.k8s.io/app:{tag}" for tag in tags),
        "",
        "registry.k8s.io/app:none",
    ]
    state = cloud.run("\n".join(lines))
    assert state["status"] == "SUCCEEDED", state
    output = json.loads(state["output"])
    report = json.loads(cloud.s3.get_object(**output["report"])["Body"].read())
    assert output["report"] == {"Bucket": "warmer", "Key": "reports/run-1.json"}
    assert sorted(image["image"] for image in report["done"]) == sorted(f"registry.k8s.io/app:{tag}" for tag in tags)
    assert [image["image"] for image in report["failed"]] == ["registry.k8s.io/app:none"]
    assert (output["ImagesWarmed"], output["ImagesFailed"]) == (45, 1)
    # Three batches, one of which went round once more for what was busy.
    assert cloud.invocations == {"warming": 4, "reporting": 1}
    assert Counter(batch["round"] for batch in cloud.batches) == {1: 3, 2: 1}
