"""A plug-in of pytest that has moto's own tests ask a served embedded EC2 instead of moto.

What tests of moto's start from is made first: the images that moto has from its beginning, by the accounts they belong
to, and a volume attached to the instance that an image is made of. `RunInstances` gives the machine that serves, once a
test: it is the only instance. No assertion is changed. Before each test all is deleted that the last one left.
Usage: pytest -p moto_own, with TEST_SERVER_MODE_ENDPOINT and MOTO_OWN_RESULTS, the file that is to have a line of JSON
for each test: its name, whether it passed, why not, and which actions were refused as not served.
"""

import contextlib
import functools
import json
import os
import random
import string

import boto3
import botocore.handlers
import moto.core.decorator
from botocore.awsrequest import AWSResponse
from moto.core.models import ServerModeMockAWS
from moto.ec2.models.amis import AMIS

account = "123456789012"
os.environ.update(AWS_ACCESS_KEY_ID=account, AWS_SECRET_ACCESS_KEY="local", AWS_EC2_METADATA_DISABLED="true")
endpoint = os.environ["TEST_SERVER_MODE_ENDPOINT"]
# Tests that need what the plug-in makes would skip themselves, if they knew that they ask a server.
moto.core.decorator.MockAWS = ServerModeMockAWS
# The access key id says which account asks.
ServerModeMockAWS.start.__globals__["mock_credentials"] = lambda: False

# Of those that belong to one account one is enough.
amis = {ami["owner_id"]: ami for ami in AMIS}

# The regions where something may be left of a test, and where moto's images were made.
changed, with_amis = set(), set()
# Whether the test has been given the machine as its instance.
running = False
# Whether it is the plug-in that asks.
making = False
refused = set()
client_of = boto3.client


@functools.cache
def client(region, owner=account):
    return client_of("ec2", region, endpoint_url=endpoint, aws_access_key_id=owner, aws_secret_access_key="local")


@contextlib.contextmanager
def made_here():
    global making
    making = True
    try:
        yield
    finally:
        making = False


def reset(_=None):
    global running
    running = False
    with made_here():
        for region in changed:
            reset_region(client(region))
        for region in with_amis:
            for owner in amis:
                delete_images(client(region, owner))
    changed.clear()
    with_amis.clear()


ServerModeMockAWS.reset = reset


def reset_region(ec2):
    delete_images(ec2)
    for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    for volume in ec2.describe_volumes()["Volumes"]:
        if volume["Attachments"]:
            ec2.detach_volume(VolumeId=volume["VolumeId"])
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    ec2.delete_tags(Resources=[machine(ec2)["InstanceId"]])
    ec2.disable_ebs_encryption_by_default()


def delete_images(ec2):
    for image in ec2.describe_images(Owners=["self"], IncludeDisabled=True)["Images"]:
        ec2.deregister_image(ImageId=image["ImageId"], DeleteAssociatedSnapshots=True)


def machine(ec2):
    return ec2.describe_instances()["Reservations"][0]["Instances"][0]


def create_volume(ec2):
    return ec2.create_volume(Size=1, AvailabilityZone=machine(ec2)["Placement"]["AvailabilityZone"])["VolumeId"]


def make_ami(ec2, ami):
    """An image of moto's, as far as EC2 lets somebody register such."""
    volume = create_volume(ec2)
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.delete_volume(VolumeId=volume)
    image = ec2.register_image(
        Name=ami["name"],
        Description=ami["description"],
        Architecture=ami["architecture"],
        VirtualizationType=ami["virtualization_type"],
        RootDeviceName=ami["root_device_name"],
        BlockDeviceMappings=[{"DeviceName": ami["root_device_name"], "Ebs": {"SnapshotId": snapshot}}],
    )["ImageId"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    if "product_codes" in ami:
        ec2.modify_image_attribute(ImageId=image, Attribute="productCodes", ProductCodes=ami["product_codes"])


def attach_volume(ec2):
    """CreateImage takes what is attached, and there must be something."""
    here = machine(ec2)
    if len(here["BlockDeviceMappings"]) == 1:
        # Others may serve EC2 on this host too.
        device = f"/dev/sdb{random.choice(string.ascii_lowercase)}"
        ec2.attach_volume(VolumeId=create_volume(ec2), InstanceId=here["InstanceId"], Device=device)


def before_call(model, params, context, **_):
    global running
    if making:
        return None
    region, wanted = context["client_region"], params["body"]
    ec2 = client(region)
    with made_here():
        if os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] == "true" and region not in with_amis:
            with_amis.add(region)
            for owner, ami in amis.items():
                make_ami(client(region, owner), ami)
        if not model.name.startswith(("Describe", "Get")):
            changed.add(region)
        if model.name == "CreateImage" and running:
            attach_volume(ec2)
        if model.name == "RunInstances" and wanted.get("MaxCount") == 1 and "DryRun" not in wanted and not running:
            running = True
            return AWSResponse(endpoint, 200, {}, None), {**ec2.describe_instances()["Reservations"][0], "ResponseMetadata": {}}
    return None


def before_ebs_call(context, **_):
    changed.add(context["client_region"])


def after_call(model, parsed, **_):
    # What another service is asked for comes to EC2 too, which does not know it.
    elsewhere = model.service_model.service_name not in ("ec2", "sts", "ebs")
    if elsewhere or parsed.get("Error", {}).get("Code") in ("NotImplemented", "UnsupportedOperation"):
        refused.add(model.name)


botocore.handlers.BUILTIN_HANDLERS += [("before-call.ec2", before_call), ("before-call.ebs", before_ebs_call), ("after-call", after_call)]


def pytest_runtest_setup(item):
    refused.clear()


def pytest_runtest_logreport(report):
    if report.when != "call" and report.passed:
        return
    reason = "" if report.passed else str(getattr(report.longrepr, "reprcrash", report.longrepr))
    entry = {"test": report.nodeid.split("/")[-1], "outcome": report.outcome, "reason": reason, "refused": sorted(refused)}
    with open(os.environ["MOTO_OWN_RESULTS"], "a", encoding="utf-8") as results:
        results.write(json.dumps(entry) + "\n")


def pytest_sessionfinish():
    reset()
