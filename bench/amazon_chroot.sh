#!/bin/bash
# Packer's amazon-chroot by hand, as short as possible: curl and local commands, polling
# every 0.2 s.   usage: amazon_chroot.sh ENDPOINT NAME DEVICE-LETTER
set -euo pipefail
endpoint=$1 name=$2 letter=$3
mnt=$(mktemp -d)
volume=
trap 'mountpoint -q "$mnt" && umount -R "$mnt"; rmdir "$mnt"' EXIT

ec2() { local action=$1; shift; curl -sf "$endpoint/" --aws-sigv4 "aws:amz:$AWS_REGION:ec2" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --data "Action=$action&Version=2016-11-15$*"; }
of() { sed -n "s:.*<$1>\([^<]*\)</$1>.*:\1:p" | head -n 1; }
wait_for() { until "${@:2}" | grep -q "$1"; do sleep 0.2; done; }

instance=$(curl -sf "$endpoint/latest/meta-data/instance-id")
zone=$(curl -sf "$endpoint/latest/meta-data/placement/availability-zone")
snapshot=$(ec2 DescribeImages '&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1=tiny' | of snapshotId)
volume=$(ec2 CreateVolume "&AvailabilityZone=$zone&SnapshotId=$snapshot&VolumeType=gp3" | of volumeId)
wait_for '<status>available' ec2 DescribeVolumes "&VolumeId.1=$volume"
ec2 AttachVolume "&VolumeId=$volume&InstanceId=$instance&Device=/dev/sd$letter" >/dev/null
wait_for '<status>attached' ec2 DescribeVolumes "&VolumeId.1=$volume"
mount "/dev/xvd${letter}1" "$mnt"
mount -t proc proc "$mnt/proc"; mount -t sysfs sys "$mnt/sys"; mount --bind /dev "$mnt/dev"; mount --bind /dev/pts "$mnt/dev/pts"
cp --remove-destination /etc/resolv.conf "$mnt/etc/resolv.conf"
chroot "$mnt" /bin/sh -c true
rm "$mnt/etc/resolv.conf"
umount -R "$mnt"
ec2 DetachVolume "&VolumeId=$volume" >/dev/null
wait_for '<status>available' ec2 DescribeVolumes "&VolumeId.1=$volume"
made=$(ec2 CreateSnapshot "&VolumeId=$volume" | of snapshotId)
wait_for '<status>completed' ec2 DescribeSnapshots "&SnapshotId.1=$made"
image=$(ec2 RegisterImage "&Name=$name&RootDeviceName=/dev/xvda&Architecture=x86_64&VirtualizationType=hvm&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.SnapshotId=$made" | of imageId)
wait_for '<imageState>available' ec2 DescribeImages "&ImageId.1=$image"
ec2 DeleteVolume "&VolumeId=$volume" >/dev/null
echo "$image"
