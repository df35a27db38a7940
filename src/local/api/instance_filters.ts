import { machine } from '../instance_identity.js';
import type { Resource } from '../resources.js';
import type { Here } from './action.js';
import { type Attributes, nothing } from './filters.js';
import type { Instance } from './model/answers.js';

/** The id of the reservation of this machine. */
export function reservationId(here: Here): string {
  return `r-${here.instance.slice(2)}`;
}

/** Source: EC2 API reference, DescribeInstances. */
export function attributes(here: Here): Attributes<Resource & Instance> {
  const disks = (pick: (ebs: NonNullable<NonNullable<Instance['blockDeviceMapping']>[number]['ebs']>) => string | boolean | undefined) => (i: Instance) =>
    i.blockDeviceMapping?.map(({ ebs }) => ebs && String(pick(ebs))) ?? [];
  return {
    architecture: (i) => i.architecture,
    'availability-zone': (i) => i.placement?.availabilityZone,
    'availability-zone-id': (i) => i.placement?.availabilityZoneId,
    'block-device-mapping.attach-time': disks((ebs) => String(ebs.attachTime)),
    'block-device-mapping.delete-on-termination': disks((ebs) => ebs.deleteOnTermination),
    'block-device-mapping.device-name': (i) => i.blockDeviceMapping?.map(({ deviceName }) => deviceName) ?? [],
    'block-device-mapping.status': disks((ebs) => ebs.status),
    'block-device-mapping.volume-id': disks((ebs) => ebs.volumeId),
    'current-instance-boot-mode': (i) => i.currentInstanceBootMode,
    'ebs-optimized': (i) => i.ebsOptimized,
    'ena-support': (i) => i.enaSupport,
    hypervisor: (i) => i.hypervisor,
    'image-id': (i) => i.imageId,
    'instance-id': (i) => i.instanceId,
    'instance-state-code': (i) => i.instanceState?.code,
    'instance-state-name': (i) => i.instanceState?.name,
    'instance-type': () => machine.type,
    'launch-index': (i) => i.amiLaunchIndex,
    'launch-time': (i) => String(i.launchTime),
    'monitoring-state': (i) => i.monitoring?.state,
    'operator.managed': () => false,
    'owner-id': () => here.account,
    'platform-details': (i) => i.platformDetails,
    'private-dns-name': (i) => i.privateDnsName,
    'private-ip-address': (i) => i.privateIpAddress,
    'reservation-id': () => reservationId(here),
    'root-device-name': (i) => i.rootDeviceName,
    'root-device-type': (i) => i.rootDeviceType,
    tenancy: (i) => i.placement?.tenancy,
    'usage-operation': (i) => i.usageOperation,
    'virtualization-type': (i) => i.virtualizationType,
    ...nothing(absent),
  };
}

/** Filters without a value on this machine: it has no VPC or interfaces, no profile, and no special lifecycle. */
const absent = `
affinity boot-mode capacity-reservation-id client-token dns-name enclave-options.enabled hibernation-options.configured host-id
capacity-reservation-specification.capacity-reservation-preference
capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id
capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn
iam-instance-profile.arn iam-instance-profile.id iam-instance-profile.name instance-lifecycle instance.group-id instance.group-name
ip-address ipv6-address kernel-id key-name maintenance-options.auto-recovery
metadata-options.http-endpoint metadata-options.http-protocol-ipv4 metadata-options.http-protocol-ipv6
metadata-options.http-put-response-hop-limit metadata-options.http-tokens metadata-options.instance-metadata-tags metadata-options.state
network-interface.addresses.association.allocation-id network-interface.addresses.association.association-id
network-interface.addresses.association.carrier-ip network-interface.addresses.association.customer-owned-ip
network-interface.addresses.association.ip-owner-id network-interface.addresses.association.public-dns-name
network-interface.addresses.association.public-ip network-interface.addresses.primary network-interface.addresses.private-dns-name
network-interface.addresses.private-ip-address network-interface.association.allocation-id network-interface.association.association-id
network-interface.association.carrier-ip network-interface.association.customer-owned-ip network-interface.association.ip-owner-id
network-interface.association.public-dns-name network-interface.association.public-ip network-interface.attachment.attach-time
network-interface.attachment.attachment-id network-interface.attachment.delete-on-termination network-interface.attachment.device-index
network-interface.attachment.instance-id network-interface.attachment.instance-owner-id network-interface.attachment.network-card-index
network-interface.attachment.status network-interface.availability-zone network-interface.deny-all-igw-traffic
network-interface.description network-interface.group-id network-interface.group-name network-interface.ipv4-prefixes.ipv4-prefix
network-interface.ipv6-address network-interface.ipv6-addresses.ipv6-address network-interface.ipv6-addresses.is-primary-ipv6
network-interface.ipv6-native network-interface.ipv6-prefixes.ipv6-prefix network-interface.mac-address
network-interface.network-interface-id network-interface.operator.managed network-interface.operator.principal
network-interface.outpost-arn network-interface.owner-id network-interface.private-dns-name network-interface.private-ip-address
network-interface.public-dns-name network-interface.requester-id network-interface.requester-managed network-interface.status
network-interface.subnet-id network-interface.tag-key network-interface.tag-value network-interface.vpc-id
network-performance-options.bandwidth-weighting operator.principal outpost-arn placement-group-name placement-partition-number platform
private-dns-name-options.enable-resource-name-dns-a-record private-dns-name-options.enable-resource-name-dns-aaaa-record
private-dns-name-options.hostname-type product-code product-code.type ramdisk-id reason requester-id source-dest-check
spot-instance-request-id state-reason-code state-reason-message subnet-id tpm-support usage-operation-update-time vpc-id`;
