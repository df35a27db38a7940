"""moto's server, with what it leaves out and a build by chroot needs: block devices.

Behind its volumes are sparse files, behind its attachments loop devices with the link that Nitro instances have. Its
RegisterImage forgets the devices of an image; here they are remembered. All else is moto's own.
Usage: moto_server.py FOLDER   Prints its endpoint, then the actions it was asked for when it is ended.
"""

import collections
import os
import signal
import subprocess
import sys
import threading

import boto3
import moto.ec2.models
import moto.ec2.models.amis
import moto.ec2.responses.amis
import moto.instance_metadata.responses
from moto.core.responses import BaseResponse
from moto.server import ThreadedMotoServer

folder = sys.argv[1]
by_id = "/dev/disk/by-id"
Backend = moto.ec2.models.EC2Backend
loops = {}
# The volumes that were ever attached here: other programs of this host have links of their own.
linked = set()


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def file_of(thing):
    return os.path.join(folder, f"{thing}.img")


def after(name, extra):
    """Has something done after a method of moto's, with its result."""
    original = getattr(Backend, name)

    def both(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        extra(self, result)
        return result

    setattr(Backend, name, both)


def volume_made(backend, volume):
    if volume.snapshot_id and os.path.exists(file_of(volume.snapshot_id)):
        run("cp", "--sparse=always", file_of(volume.snapshot_id), file_of(volume.id))
    with open(file_of(volume.id), "ab") as disk:
        disk.truncate(volume.size * 2**30)


def attached(backend, attachment):
    volume = attachment.volume.id
    loops[volume] = run("losetup", "--find", "--show", file_of(volume))
    subprocess.run(["partx", "--add", loops[volume]], capture_output=True, check=False)
    os.makedirs(by_id, exist_ok=True)
    os.symlink(loops[volume], link_of(volume))
    linked.add(volume)


def detached(backend, attachment):
    volume = attachment.volume.id
    os.unlink(link_of(volume))
    subprocess.run(["partx", "--delete", loops[volume]], capture_output=True, check=False)
    run("losetup", "--detach", loops.pop(volume))


def link_of(volume):
    return f"{by_id}/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"


def snapshot_made(backend, snapshot):
    if os.path.exists(file_of(snapshot.volume.id)):
        run("cp", "--sparse=always", file_of(snapshot.volume.id), file_of(snapshot.id))


original_register = moto.ec2.responses.amis.AmisResponse.register_image


def register_image(self):
    answer = original_register(self)
    image = self.ec2_backend.amis[answer.result["ImageId"]]
    mapping = self._get_param("BlockDeviceMappings")[0]
    image.ebs_snapshot = self.ec2_backend.snapshots[mapping["Ebs"]["SnapshotId"]]
    image.root_device_name = self._get_param("RootDeviceName")
    image.root_device_type = "ebs"
    image.architecture = self._get_param("Architecture")
    image.virtualization_type = self._get_param("VirtualizationType")
    return answer


moto.ec2.responses.amis.AmisResponse.register_image = register_image

# It fails at the question for what it does not keep.
moto.ec2.models.amis.Ami.uefi = None

asked = collections.Counter()
original_call = BaseResponse.call_action


def call_action(self):
    asked[self._get_action()] += 1
    return original_call(self)


BaseResponse.call_action = call_action

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
# The machine we are on; its own root volume needs no device.
ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="x")
instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, Placement={"AvailabilityZone": "us-east-1a"})["Instances"][0]
moto.instance_metadata.responses.INSTANCE_METADATA["instance-id"] = instance["InstanceId"]
after("create_volume", volume_made)
after("attach_volume", attached)
after("detach_volume", detached)
after("create_snapshot", snapshot_made)
after("delete_volume", lambda backend, volume: os.path.exists(file_of(volume.id)) and os.unlink(file_of(volume.id)))
asked.clear()
print(endpoint, flush=True)
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
ended.wait()
server.stop()
for name in sorted(asked):
    print(f"{name}: {asked[name]}")
links = [link_of(volume) for volume in sorted(linked) if os.path.islink(link_of(volume))]
print(f"left: {sorted(loops)} {links}")
for path in (by_id, os.path.dirname(by_id)):
    if os.path.isdir(path) and not os.listdir(path):
        os.rmdir(path)
