"""A tour of the EBS direct APIs of a served embedded EC2 by boto3: each call goes well, and is refused for each reason.

Usage: ebs_tour.py ENDPOINT; ends with "N passed, N failed".
"""

import base64
import hashlib
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

(endpoint,) = sys.argv[1:]
block_bytes = 524_288
passed, faults = 0, []


def client(service, key="000000000000"):
    # What boto3 would refuse itself is sent too.
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    return boto3.client(service, "local-1", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, config=config)


ebs, other, ec2 = client("ebs"), client("ebs", "111111111111"), client("ec2")


def same(what, seen, wanted):
    global passed
    passed += seen == wanted
    if seen != wanted:
        faults.append(f"{what}: {seen!r} instead of {wanted!r}")


def no(wanted, call, **parameters):
    """A call that is refused, with a code and a reason."""
    try:
        call(**parameters)
        seen = "went well"
    except ClientError as error:
        reason = error.response.get("Reason")
        seen = error.response["Error"]["Code"] + (f" {reason}" if reason else "")
    same(f"{call.__name__}({parameters})"[:200], seen, wanted)


def invalid(reason):
    return f"ValidationException {reason}"


def checksum(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def block(text):
    return (text * block_bytes)[:block_bytes].encode()


def put(snapshot, index, data, **more):
    usual = {"DataLength": block_bytes, "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256"}
    return {"SnapshotId": snapshot, "BlockIndex": index, "BlockData": data, **usual, **more}


def linear(blocks):
    digests = b"".join(hashlib.sha256(blocks[index]).digest() for index in sorted(blocks))
    return {"Checksum": checksum(digests), "ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}


def upload(blocks, **more):
    snapshot = ebs.start_snapshot(**{"VolumeSize": 1, **more})["SnapshotId"]
    for index, data in blocks.items():
        same("checksum", ebs.put_snapshot_block(**put(snapshot, index, data, Progress=50))["Checksum"], checksum(data))
    same("completed", ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(blocks), **linear(blocks))["Status"], "completed")
    return snapshot


# A snapshot, and one of what changed
first = {0: block("a"), 7: block("b"), 2047: block("c")}
parent = upload(first, Description="first", Tags=[{"Key": "Name", "Value": "ü"}])
described = ec2.describe_snapshots(SnapshotIds=[parent])["Snapshots"][0]
same("described", [described[name] for name in ("State", "Description", "VolumeSize", "Tags")], ["completed", "first", 1, [{"Key": "Name", "Value": "ü"}]])
listed = ebs.list_snapshot_blocks(SnapshotId=parent)
same("listed", [one["BlockIndex"] for one in listed["Blocks"]], [0, 7, 2047])
same("sizes", [listed["VolumeSize"], listed["BlockSize"]], [1, block_bytes])
for one in listed["Blocks"]:
    got = ebs.get_snapshot_block(SnapshotId=parent, **one)
    data = got["BlockData"].read()
    same("data", data == first[one["BlockIndex"]], True)
    same("read", [got["DataLength"], got["Checksum"], got["ChecksumAlgorithm"]], [block_bytes, checksum(data), "SHA256"])
child = upload({7: block("B"), 9: block("d")}, ParentSnapshotId=parent)
changed = ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
same("changed", [(one["BlockIndex"], "FirstBlockToken" in one, "SecondBlockToken" in one) for one in changed], [(7, True, True), (9, False, True)])
same("all", [one["BlockIndex"] for one in ebs.list_changed_blocks(SecondSnapshotId=child)["ChangedBlocks"]], [0, 7, 9, 2047])

# Pages
many = upload({index: block(f"{index}") for index in range(110)})
token = ebs.list_snapshot_blocks(SnapshotId=many, MaxResults=100)["NextToken"]
rest = ebs.list_snapshot_blocks(SnapshotId=many, MaxResults=100, NextToken=token, StartingBlockIndex=3)
same("the rest", [one["BlockIndex"] for one in rest["Blocks"]], list(range(100, 110)))
same("the end", "NextToken" in rest, False)
same("from", ebs.list_snapshot_blocks(SnapshotId=many, StartingBlockIndex=105)["Blocks"][0]["BlockIndex"], 105)

# Refused
none = "snap-0123456789abcdef0"
missing = "ResourceNotFoundException SNAPSHOT_NOT_FOUND"
key = "arn:aws:kms:local-1:000000000000:key/1"
pending = ebs.start_snapshot(VolumeSize=2, ClientToken="tour")["SnapshotId"]
same("the same token", ebs.start_snapshot(VolumeSize=2, ClientToken="tour")["SnapshotId"], pending)
no("ConflictException", ebs.start_snapshot, VolumeSize=3, ClientToken="tour")
no(invalid("INVALID_VOLUME_SIZE"), ebs.start_snapshot, VolumeSize=0)
no(invalid("INVALID_VOLUME_SIZE"), ebs.start_snapshot, VolumeSize=65_537)
no(invalid("INVALID_PARAMETER_VALUE"), ebs.start_snapshot, VolumeSize=1, Timeout=9)
no(invalid("INVALID_PARAMETER_VALUE"), ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=parent, Encrypted=True)
no(invalid("INVALID_PARAMETER_VALUE"), ebs.start_snapshot, VolumeSize=1, KmsKeyArn=key)
no(invalid("INVALID_CUSTOMER_KEY"), ebs.start_snapshot, VolumeSize=1, Encrypted=True, KmsKeyArn="alias/mine")
no(invalid("INVALID_TAG"), ebs.start_snapshot, VolumeSize=1, Tags=[{"Key": "aws:mine", "Value": ""}])
no(invalid("INVALID_SNAPSHOT_ID"), ebs.start_snapshot, VolumeSize=2, ParentSnapshotId=pending)
no(missing, ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=none)
no(missing, other.start_snapshot, VolumeSize=1, ParentSnapshotId=parent)
data = block("x")
no(missing, ebs.put_snapshot_block, **put(none, 0, data))
no(missing, other.put_snapshot_block, **put(pending, 0, data))
no(invalid("INVALID_BLOCK"), ebs.put_snapshot_block, **put(pending, 0, data, Checksum=checksum(b"y")))
no(invalid("INVALID_BLOCK"), ebs.put_snapshot_block, **put(pending, 4096, data))
no(invalid("INVALID_PARAMETER_VALUE"), ebs.put_snapshot_block, **put(pending, 0, b"short"))
no(invalid("INVALID_PARAMETER_VALUE"), ebs.put_snapshot_block, **put(pending, 0, data, DataLength=5))
no(invalid("INVALID_PARAMETER_VALUE"), ebs.put_snapshot_block, **put(pending, 0, data, Progress=101))
no(invalid("INVALID_PARAMETER_VALUE"), ebs.put_snapshot_block, **put(pending, 0, data, ChecksumAlgorithm="MD5"))
no(invalid("INVALID_SNAPSHOT_ID"), ebs.put_snapshot_block, **put(parent, 0, data))
no(invalid("INVALID_PARAMETER_VALUE"), ebs.complete_snapshot, SnapshotId=pending, ChangedBlocksCount=1)
no(invalid("INVALID_PARAMETER_VALUE"), ebs.complete_snapshot, SnapshotId=pending, ChangedBlocksCount=0, **linear({0: data}))
no(invalid("INVALID_SNAPSHOT_ID"), ebs.complete_snapshot, SnapshotId=parent, ChangedBlocksCount=3)
no(missing, ebs.complete_snapshot, SnapshotId=none, ChangedBlocksCount=0)
no(invalid("INVALID_SNAPSHOT_ID"), ebs.list_snapshot_blocks, SnapshotId=pending)
no(invalid("INVALID_SNAPSHOT_ID"), ebs.list_snapshot_blocks, SnapshotId="vol-1")
no(invalid("INVALID_PARAMETER_VALUE"), ebs.list_snapshot_blocks, SnapshotId=many, MaxResults=99)
no(invalid("INVALID_PAGE_TOKEN"), ebs.list_snapshot_blocks, SnapshotId=parent, NextToken=token)
no(missing, other.list_snapshot_blocks, SnapshotId=parent)
no(invalid("UNRELATED_SNAPSHOTS"), ebs.list_changed_blocks, FirstSnapshotId=many, SecondSnapshotId=child)
no(missing, ebs.list_changed_blocks, FirstSnapshotId=none, SecondSnapshotId=child)
no(invalid("INVALID_BLOCK_TOKEN"), ebs.get_snapshot_block, SnapshotId=parent, BlockIndex=7, BlockToken=listed["Blocks"][0]["BlockToken"])
no(invalid("INVALID_BLOCK_TOKEN"), ebs.get_snapshot_block, SnapshotId=child, **listed["Blocks"][0])
no(missing, other.get_snapshot_block, SnapshotId=parent, **listed["Blocks"][0])
ec2.modify_snapshot_attribute(SnapshotId=parent, CreateVolumePermission={"Add": [{"Group": "all"}]})
no(invalid("INVALID_SNAPSHOT_ID"), other.list_snapshot_blocks, SnapshotId=parent)
ec2.modify_snapshot_attribute(SnapshotId=parent, CreateVolumePermission={"Add": [{"UserId": "111111111111"}]})
same("shared", len(other.list_snapshot_blocks(SnapshotId=parent)["Blocks"]), 3)

# The way back
for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
    ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
no(missing, ebs.list_snapshot_blocks, SnapshotId=parent)
no(missing, ebs.put_snapshot_block, **put(pending, 0, data))

for fault in faults:
    print(f"FAILED: {fault}")
print(f"boto3 {boto3.__version__}: {passed} passed, {len(faults)} failed")
sys.exit(1 if faults else 0)
