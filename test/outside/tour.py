"""A tour of every action of a served embedded EC2, by a client that was not written here.

Usage: tour.py boto3|awscli ENDPOINT ACTION...   The actions are those the server has: each must be met once that goes
well and once that is refused. Prints a table and "N passed, N failed".
"""

import collections
import contextlib
import datetime
import functools
import io
import json
import os
import re
import sys

# The secret access key is the server's; the access key id says which account asks.
os.environ.update(AWS_ACCESS_KEY_ID="000000000000", AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="")
client_name, endpoint, *actions = sys.argv[1:]
region = "local-1"
zone = region + "a"


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Boto3:
    def __init__(self):
        import boto3
        import botocore

        self.version = f"boto3 {boto3.__version__}"
        self.failure = botocore.exceptions.ClientError
        self.make = lambda service, region, key: boto3.client(
            service, region_name=region, endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"]
        )
        self.methods = {s: self.make(s, region, "000000000000").meta.method_to_api_mapping for s in ("ec2", "sts")}

    def knows(self, service, action):
        return action in self.methods[service].values()

    def call(self, service, action, parameters, region, key):
        method = next(name for name, called in self.methods[service].items() if called == action)
        try:
            return getattr(self.make(service, region, key), method)(**parameters)
        except self.failure as error:
            raise Refused(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error


class AwsCli:
    def __init__(self):
        import awscli
        import awscli.clidriver
        from botocore import xform_name

        self.version = f"awscli {awscli.__version__}"
        self.driver = functools.lru_cache(lambda key: awscli.clidriver.create_clidriver())
        self.name = lambda action: xform_name(action, "-")
        self.tables = self.driver("").create_help_command().command_table
        self.known = {}

    def knows(self, service, action):
        if service not in self.known:
            self.known[service] = self.tables[service].create_help_command().command_table
        return self.name(action) in self.known[service]

    def call(self, service, action, parameters, region, key):
        os.environ["AWS_ACCESS_KEY_ID"] = key
        words = [service, self.name(action), "--endpoint-url", endpoint, "--region", region, "--output", "json", "--no-paginate"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            # Each with an account of its own: it keeps the credentials it met first.
            code = self.driver(key).main([*words, "--cli-input-json", json.dumps(parameters)])
        found = re.search(r"An error occurred \(([^)]+)\) when calling the \w+ operation: (.*)", err.getvalue(), re.S)
        if found:
            raise Refused(found[1], found[2].strip())
        if code != 0:
            raise RuntimeError(err.getvalue())
        return json.loads(out.getvalue() or "{}")


client = {"boto3": Boto3, "awscli": AwsCli}[client_name]()
well, refused, unknown, faults = collections.Counter(), collections.Counter(), set(), []


def service_of(action):
    return "sts" if action in ("GetCallerIdentity", "DecodeAuthorizationMessage", "AssumeRole") else "ec2"


def known(action):
    if client.knows(service_of(action), action):
        return True
    unknown.add(action)
    return False


def ok(action, _where=region, _as="000000000000", **parameters):
    """A call that goes well; gives the answer."""
    if not known(action):
        return {}
    try:
        answer = client.call(service_of(action), action, parameters, _where, _as)
    except Refused as error:
        faults.append(f"{action}({parameters}): {error}")
        return {}
    well[action] += 1
    return answer


def no(action, code, message="", _where=region, _as="000000000000", **parameters):
    """A call that is refused with a code, in words that a pattern matches."""
    if not known(action):
        return
    try:
        client.call(service_of(action), action, parameters, _where, _as)
        faults.append(f"{action}({parameters}) went well, and should be refused: {code}")
    except Refused as error:
        refused[action] += 1
        if error.code != code or not re.search(message, error.message):
            faults.append(f"{action}({parameters}): {error}, instead of {code}: {message}")


def same(what, seen, wanted):
    if seen != wanted:
        faults.append(f"{what}: {seen!r} instead of {wanted!r}")


def tags(kind, **of):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in of.items()]}]


# Regions, zones, the machine, the account
same("regions", {"local-1", "eu-west-1"} <= {r["RegionName"] for r in ok("DescribeRegions").get("Regions", [])}, True)
no("DescribeRegions", "InvalidParameterValue", "nowhere-9", RegionNames=["nowhere-9"])
same("zones", [z["ZoneName"] for z in ok("DescribeAvailabilityZones")["AvailabilityZones"]], [zone, "local-1b", "local-1c"])
no("DescribeAvailabilityZones", "InvalidParameterValue", ZoneNames=["local-1z"])
instance = ok("DescribeInstances")["Reservations"][0]["Instances"][0]["InstanceId"]
no("DescribeInstances", "InvalidInstanceID.NotFound", "i-0123456789abcdef0", InstanceIds=["i-0123456789abcdef0"])
same("status", ok("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"][0]["SystemStatus"]["Status"], "ok")
no("DescribeInstanceStatus", "InvalidInstanceID.NotFound", InstanceIds=["i-0123456789abcdef0"])
same("account", ok("GetCallerIdentity")["Account"], "000000000000")
role = ok("AssumeRole", RoleArn="arn:aws:iam::111111111111:role/baker", RoleSessionName="tour")["Credentials"]
same("role's account", ok("GetCallerIdentity", _as=role["AccessKeyId"])["Account"], "111111111111")
no("AssumeRole", "ValidationError", RoleArn="arn:aws:iam::111111111111:user/baker", RoleSessionName="tour")
no("DecodeAuthorizationMessage", "InvalidAuthorizationMessageException", EncodedMessage="bm90IHRoYXQ")
ok("DecodeAuthorizationMessage", EncodedMessage="eyJhbGxvd2VkIjpmYWxzZX0")

# Encryption by default, per region
same("default", ok("GetEbsEncryptionByDefault", _where="local-2")["EbsEncryptionByDefault"], False)
ok("EnableEbsEncryptionByDefault", _where="local-2")
same("encrypted", ok("CreateVolume", _where="local-2", AvailabilityZone="local-2a", Size=1)["Encrypted"], True)
ok("DisableEbsEncryptionByDefault", _where="local-2")
same("default key", ok("GetEbsDefaultKmsKeyId")["KmsKeyId"], "alias/aws/ebs")
for action in ("GetEbsDefaultKmsKeyId", "GetEbsEncryptionByDefault", "EnableEbsEncryptionByDefault", "DisableEbsEncryptionByDefault"):
    no(action, "DryRunOperation", "would have succeeded", DryRun=True)

# Volumes
no("CreateVolume", "InvalidZone.NotFound", AvailabilityZone="local-1z", Size=1)
no("CreateVolume", "MissingParameter", "size/snapshot", AvailabilityZone=zone)
no("CreateVolume", "InvalidSnapshot.NotFound", AvailabilityZone=zone, SnapshotId="snap-0123456789abcdef0")
no("CreateVolume", "InvalidParameterValue", "too small", AvailabilityZone=zone, Size=1, VolumeType="st1")
no("CreateVolume", "InvalidParameterValue", "Iops", AvailabilityZone=zone, Size=1, VolumeType="gp3", Iops=80000)
once = {"AvailabilityZone": zone, "Size": 1, "ClientToken": "tour", "TagSpecifications": tags("volume", Name="first", team="a")}
volume = ok("CreateVolume", **once)["VolumeId"]
same("the same token", ok("CreateVolume", **once)["VolumeId"], volume)
no("CreateVolume", "IdempotentParameterMismatch", **{**once, "Size": 2})
others = [ok("CreateVolume", AvailabilityZone=zone, Size=1, TagSpecifications=tags("volume", Name=f"n{i}", team="b"))["VolumeId"] for i in range(11)]
named = ok("DescribeVolumes", VolumeIds=[volume])["Volumes"][0]
same("volume", (named["State"], named["Size"], named["VolumeType"], named["Tags"][0]["Value"]), ("available", 1, "gp2", "first"))


def ids(filters):
    found = ok("DescribeVolumes", Filters=[{"Name": name, "Values": values} for name, values in filters.items()])
    return sorted(v["VolumeId"] for v in found["Volumes"])


same("tag:team=b", ids({"tag:team": ["b"]}), sorted(others))
same("wild", ids({"tag:Name": ["f?r*"]}), [volume])
same("two values", len(ids({"tag:Name": ["n1", "n2"]})), 2)
same("two filters", ids({"tag:team": ["b"], "tag:Name": ["first"]}), [])
same("tag-key and status", len(ids({"tag-key": ["team"], "status": ["available"]})), 12)
no("DescribeVolumes", "InvalidParameterValue", "colour", Filters=[{"Name": "colour", "Values": ["red"]}])
no("DescribeVolumes", "InvalidVolume.NotFound", "vol-0123456789abcdef0", VolumeIds=["vol-0123456789abcdef0"])

# Pages: all of them, none twice, with and without a filter; ids and pages exclude each other
seen, token = [], {}
while True:
    page = ok("DescribeVolumes", MaxResults=5, Filters=[{"Name": "tag-key", "Values": ["team"]}], **token)
    seen.append([v["VolumeId"] for v in page["Volumes"]])
    if "NextToken" not in page:
        break
    token = {"NextToken": page["NextToken"]}
same("pages", [len(page) for page in seen], [5, 5, 2])
same("all of them", sorted(sum(seen, [])), sorted([volume, *others]))
no("DescribeVolumes", "InvalidParameterValue", "between 5 and 1000", MaxResults=2)
no("DescribeVolumes", "InvalidParameterCombination", "MaxResults", MaxResults=5, VolumeIds=[volume])
no("DescribeVolumes", "InvalidParameterValue", "token", MaxResults=5, NextToken="bm90IG91cnM")

# Tags
ok("CreateTags", Resources=[volume], Tags=[{"Key": "stage", "Value": "<&>\"' ü"}])
same("odd tag", [t["Value"] for t in ok("DescribeTags", Filters=[{"Name": "key", "Values": ["stage"]}])["Tags"]], ["<&>\"' ü"])
no("CreateTags", "InvalidID", Resources=["thing-1"], Tags=[{"Key": "a", "Value": "b"}])
no("CreateTags", "InvalidParameterValue", "aws:", Resources=[volume], Tags=[{"Key": "aws:a", "Value": "b"}])
no("CreateTags", "TagLimitExceeded", Resources=[volume], Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])
no("DescribeTags", "InvalidParameterValue", Filters=[{"Name": "colour", "Values": ["red"]}])
ok("DeleteTags", Resources=[volume], Tags=[{"Key": "stage", "Value": "another"}, {"Key": "team"}])
left = ok("DescribeTags", Filters=[{"Name": "resource-id", "Values": [volume]}])["Tags"]
same("left", sorted(t["Key"] for t in left), ["Name", "stage"])
no("DeleteTags", "InvalidVolume.NotFound", Resources=["vol-0123456789abcdef0"])

same("modified", ok("ModifyVolume", VolumeId=volume, VolumeType="gp3")["VolumeModification"]["TargetIops"], 3000)
no("ModifyVolume", "InvalidVolume.NotFound", VolumeId="vol-0123456789abcdef0", Size=2)
same("modifications", [m["OriginalVolumeType"] for m in ok("DescribeVolumesModifications", VolumeIds=[volume])["VolumesModifications"]], ["gp2"])
no("DescribeVolumesModifications", "InvalidVolumeModification.NotFound", VolumeIds=[others[0]])
same("status", ok("DescribeVolumeStatus", VolumeIds=[volume])["VolumeStatuses"][0]["VolumeStatus"]["Status"], "ok")
no("DescribeVolumeStatus", "InvalidVolume.NotFound", VolumeIds=["vol-0123456789abcdef0"])

# Attachments: a real block device
no("AttachVolume", "InvalidInstanceID.NotFound", VolumeId=volume, InstanceId="i-0123456789abcdef0", Device="/dev/sdf")
no("AttachVolume", "InvalidParameterValue", "device", VolumeId=volume, InstanceId=instance, Device="/dev/hda")
same("attached", ok("AttachVolume", VolumeId=volume, InstanceId=instance, Device="/dev/sdo")["State"], "attached")
same("in use", ok("DescribeVolumes", VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"], "attached")
no("AttachVolume", "VolumeInUse", VolumeId=volume, InstanceId=instance, Device="/dev/sdp")
no("AttachVolume", "InvalidParameterValue", "already in use", VolumeId=others[0], InstanceId=instance, Device="/dev/sdo")
with open("/dev/xvdo", "r+b") as device:
    device.seek(2**20 * 5)
    device.write(b"written through the block device")
    os.fsync(device.fileno())
mappings = ok("DescribeInstances", InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
same("mappings", [(m["DeviceName"], m["Ebs"]["VolumeId"]) for m in mappings[1:]], [("/dev/sdo", volume)])
set_of = ok("CreateSnapshots", InstanceSpecification={"InstanceId": instance, "ExcludeBootVolume": True}).get("Snapshots", [])
same("snapshots of what is attached", [s["VolumeId"] for s in set_of], [volume])
no("CreateSnapshots", "UnsupportedOperation", "ExcludeBootVolume", InstanceSpecification={"InstanceId": instance})
of_instance = ok("CreateImage", InstanceId=instance, Name="of the instance", NoReboot=True)["ImageId"]
no("CreateImage", "InvalidAMIName.Duplicate", InstanceId=instance, Name="of the instance")
ok("DeregisterImage", ImageId=of_instance)
no("DeleteVolume", "VolumeInUse", VolumeId=volume)
no("DetachVolume", "InvalidAttachment.NotFound", VolumeId=volume, Device="/dev/sdp")
held = os.open("/dev/xvdo", os.O_RDONLY | os.O_EXCL)
same("busy", ok("DetachVolume", VolumeId=volume)["State"], "busy")
os.close(held)
ok("DescribeVolumes", VolumeIds=[volume])
same("gone", os.path.exists("/dev/xvdo"), False)
no("DetachVolume", "IncorrectState", VolumeId=volume)

# Snapshots
snapshot = ok("CreateSnapshot", VolumeId=volume, Description="of the tour", TagSpecifications=tags("snapshot", Name="s"))["SnapshotId"]
no("CreateSnapshot", "InvalidVolume.NotFound", VolumeId="vol-0123456789abcdef0")
found = ok("DescribeSnapshots", OwnerIds=["self"], Filters=[{"Name": "description", "Values": ["of*"]}])["Snapshots"]
same("snapshot", [(s["SnapshotId"], s["State"], s["Progress"]) for s in found], [(snapshot, "completed", "100%")])
no("DescribeSnapshots", "InvalidSnapshot.NotFound", SnapshotIds=["snap-0123456789abcdef0"])
no("CreateVolume", "InvalidParameterValue", "smaller", AvailabilityZone=zone, SnapshotId=ok("CreateSnapshot", VolumeId=ok("CreateVolume", AvailabilityZone=zone, Size=2)["VolumeId"])["SnapshotId"], Size=1)
again = ok("CreateVolume", AvailabilityZone=zone, SnapshotId=snapshot)["VolumeId"]
ok("AttachVolume", VolumeId=again, InstanceId=instance, Device="sdp")
with open("/dev/xvdp", "rb") as device:
    device.seek(2**20 * 5)
    same("what was written", device.read(32), b"written through the block device")
ok("DetachVolume", VolumeId=again)
no("DescribeSnapshots", "InvalidSnapshot.NotFound", _as="111111111111", SnapshotIds=[snapshot])
ok("ModifySnapshotAttribute", SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=["111111111111"])
same("shared", len(ok("DescribeSnapshots", _as="111111111111", SnapshotIds=[snapshot])["Snapshots"]), 1)
given = ok("DescribeSnapshotAttribute", SnapshotId=snapshot, Attribute="createVolumePermission")["CreateVolumePermissions"]
same("permissions", given, [{"UserId": "111111111111"}])
no("ModifySnapshotAttribute", "InvalidAMIAttributeItemValue", SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=["somebody"])
no("DescribeSnapshotAttribute", "InvalidSnapshot.NotFound", SnapshotId="snap-0123456789abcdef0", Attribute="createVolumePermission")
copy = ok("CopySnapshot", _where="local-2", SourceRegion=region, SourceSnapshotId=snapshot)["SnapshotId"]
same("copy", ok("DescribeSnapshots", _where="local-2", SnapshotIds=[copy])["Snapshots"][0]["State"], "completed")
no("CopySnapshot", "InvalidParameterValue", SourceRegion="nowhere-9", SourceSnapshotId=snapshot)

# Images
root = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeType": "gp3"}}]
wanted = {"Name": "tour", "RootDeviceName": "/dev/xvda", "Architecture": "x86_64", "VirtualizationType": "hvm", "EnaSupport": True, "BlockDeviceMappings": root}
image = ok("RegisterImage", **wanted)["ImageId"]
no("RegisterImage", "InvalidAMIName.Duplicate", "already in use by AMI " + image, **wanted)
no("RegisterImage", "InvalidAMIName.Malformed", **{**wanted, "Name": "no#good"})
no("RegisterImage", "InvalidBlockDeviceMapping", **{**wanted, "Name": "tour 2", "RootDeviceName": "/dev/sda1"})
no("DeleteSnapshot", "InvalidSnapshot.InUse", image, SnapshotId=snapshot)
found = ok("DescribeImages", Owners=["self"], Filters=[{"Name": "name", "Values": ["to*"]}, {"Name": "state", "Values": ["available"]}])["Images"]
same("image", [(i["ImageId"], i["EnaSupport"], i["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]) for i in found], [(image, True, snapshot)])
no("DescribeImages", "InvalidAMIID.NotFound", ImageIds=["ami-0123456789abcdef0"])
ok("ModifyImageAttribute", ImageId=image, LaunchPermission={"Add": [{"UserId": "111111111111"}]})
same("shared image", len(ok("DescribeImages", _as="111111111111", ImageIds=[image])["Images"]), 1)
no("ModifyImageAttribute", "InvalidParameterValue", "Group", ImageId=image, LaunchPermission={"Add": [{"Group": "nobody"}]})
no("ModifyImageAttribute", "AuthFailure", _as="111111111111", ImageId=image, Description={"Value": "mine"})
same("launch", ok("DescribeImageAttribute", ImageId=image, Attribute="launchPermission")["LaunchPermissions"], [{"UserId": "111111111111"}])
no("DescribeImageAttribute", "AuthFailure", _as="111111111111", ImageId=image, Attribute="launchPermission")
ok("ResetImageAttribute", ImageId=image, Attribute="launchPermission")
no("ResetImageAttribute", "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0", Attribute="launchPermission")
if known("DisableImage"):
    ok("DisableImage", ImageId=image)
    same("disabled", [i["State"] for i in ok("DescribeImages", IncludeDisabled=True)["Images"]], ["disabled"])
    ok("EnableImage", ImageId=image)
for action in ("DisableImage", "EnableImage"):
    no(action, "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
later = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
ok("EnableImageDeprecation", ImageId=image, DeprecateAt=later)
no("EnableImageDeprecation", "InvalidParameterValue", "future", ImageId=image, DeprecateAt="2020-01-01T00:00:00Z")
ok("DisableImageDeprecation", ImageId=image)
no("DisableImageDeprecation", "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
if known("EnableImageDeregistrationProtection"):
    ok("EnableImageDeregistrationProtection", ImageId=image)
    no("DeregisterImage", "OperationNotPermitted", "protected", ImageId=image)
no("EnableImageDeregistrationProtection", "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
ok("DisableImageDeregistrationProtection", ImageId=image)
no("DisableImageDeregistrationProtection", "InvalidAMIID.NotFound", ImageId="ami-0123456789abcdef0")
far = ok("CopyImage", _where="local-2", Name="tour", SourceRegion=region, SourceImageId=image)["ImageId"]
same("copied", ok("DescribeImages", _where="local-2", ImageIds=[far])["Images"][0]["State"], "available")
no("CopyImage", "InvalidAMIName.Duplicate", _where="local-2", Name="tour", SourceRegion=region, SourceImageId=image)

# The way back: everything goes, and what is gone is gone
ok("DeregisterImage", ImageId=image)
no("DeregisterImage", "InvalidAMIID.Unavailable", ImageId=image)
ok("DeregisterImage", _where="local-2", ImageId=far)
for where in (region, "local-2"):
    for one in ok("DescribeSnapshots", _where=where, OwnerIds=["self"])["Snapshots"]:
        ok("DeleteSnapshot", _where=where, SnapshotId=one["SnapshotId"])
    for one in ok("DescribeVolumes", _where=where)["Volumes"]:
        ok("DeleteVolume", _where=where, VolumeId=one["VolumeId"])
no("DeleteSnapshot", "InvalidSnapshot.NotFound", SnapshotId=snapshot)
no("DeleteVolume", "InvalidVolume.NotFound", VolumeId=volume)
same("nothing is left", [ok("DescribeVolumes")["Volumes"], ok("DescribeSnapshots", OwnerIds=["self"])["Snapshots"], ok("DescribeImages", Owners=["self"])["Images"]], [[], [], []])

for action in sorted(set(actions) - unknown):
    # What takes no parameters has no other refusal than that of a dry run; who asks is never refused.
    if not well[action]:
        faults.append(f"{action}: no call went well")
    if not refused[action] and action != "GetCallerIdentity":
        faults.append(f"{action}: no call was refused")
print(f"{'action':38} {'well':>5} {'refused':>8}")
for action in sorted(actions):
    print(f"{action:38} " + ("  not known to this client" if action in unknown else f"{well[action]:5} {refused[action]:8}"))
for fault in faults:
    print(f"FAILED: {fault}")
print(f"{client.version}: {sum(well.values())} calls went well, {sum(refused.values())} were refused, {len(unknown)} of {len(actions)} actions unknown")
print(f"{sum(well.values()) + sum(refused.values())} passed, {len(faults)} failed")
sys.exit(1 if faults or not well else 0)
