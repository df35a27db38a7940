import { hostname } from 'node:os';
import { launched, machine, privateAddress } from '../instance_identity.js';
import type { Volume } from '../resources.js';
import { action, type Here, mustBeThisInstance, stopDryRun } from './action.js';
import { attachedVolumes, rootVolume } from './attachments.js';
import { filtered, page, tagSet } from './filters.js';
import { attributes, reservationId } from './instance_filters.js';
import type { Instance } from './model/answers.js';
import { zoneIdOf } from './zones.js';

const describeInstances = action('DescribeInstances', async ({ InstanceId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
  mustBeThisInstance(ids ?? [], here);
  // This machine is the only instance.
  const one = { ...thisInstance(here), id: here.instance, created: launched(), tags: here.store.settings().instanceTags ?? [] };
  const found = filtered([one], filters, attributes(here));
  stopDryRun(here);
  const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, InstanceId: ids });
  return {
    reservationSet: items.map(() => ({ reservationId: reservationId(here), ownerId: here.account, groupSet: [], instancesSet: [thisInstance(here)] })),
    nextToken,
  };
});

export const instanceActions = [describeInstances];

/** This machine in the format of answers. */
function thisInstance(here: Here): Instance {
  return {
    instanceId: here.instance,
    imageId: machine.image,
    instanceState: { code: 16, name: 'running' },
    privateDnsName: hostname(),
    dnsName: '',
    amiLaunchIndex: 0,
    instanceType: machine.type,
    launchTime: launched(),
    placement: { availabilityZone: here.zone, availabilityZoneId: zoneIdOf(here.zone), groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    privateIpAddress: privateAddress(),
    architecture: machine.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: machine.rootDevice,
    blockDeviceMapping: [rootVolume(here), ...attachedVolumes(here)].map(mappingOf),
    virtualizationType: 'hvm',
    tagSet: tagSet(here.store.settings().instanceTags ?? []),
    hypervisor: 'xen',
    enaSupport: true,
    ebsOptimized: false,
    currentInstanceBootMode: machine.bootMode,
    platformDetails: 'Linux/UNIX',
    usageOperation: 'RunInstances',
  };
}

function mappingOf({ id, attachment }: Volume) {
  return {
    deviceName: attachment?.device,
    ebs: { volumeId: id, status: 'attached' as const, attachTime: attachment?.since, deleteOnTermination: id === machine.rootVolume },
  };
}
