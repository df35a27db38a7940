import { machine } from '../instance_identity.js';
import { action, type Here, mustBeThisInstance, stopDryRun } from './action.js';
import { attachedVolumes } from './attachments.js';
import { filtered, page } from './filters.js';
import type { Instance } from './model/answers.js';

const describeInstances = action('DescribeInstances', async ({ InstanceId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
  for (const id of ids ?? []) mustBeThisInstance(id, here);
  // The machine we are on is the only instance there is.
  const found = filtered([{ id: here.instance, created: '', tags: [] }], filters, {
    'instance-id': (i) => i.id,
    'instance-state-name': () => 'running',
    'availability-zone': () => here.zone,
  });
  stopDryRun(here);
  const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, InstanceId: ids });
  return {
    reservationSet: items.map(() => ({ reservationId: `r-${here.instance.slice(2)}`, ownerId: here.account, instancesSet: [instance(here)] })),
    nextToken,
  };
});

export const instanceActions = [describeInstances];

function instance(here: Here): Instance {
  return {
    instanceId: here.instance,
    instanceType: machine.type,
    instanceState: { code: 16, name: 'running' },
    placement: { availabilityZone: here.zone, tenancy: 'default' },
    architecture: machine.architecture,
    rootDeviceType: 'ebs',
    rootDeviceName: '/dev/sda1',
    virtualizationType: 'hvm',
    hypervisor: 'xen',
    blockDeviceMapping: attachedVolumes(here).map((volume) => ({
      deviceName: volume.attachment?.device,
      ebs: { volumeId: volume.id, status: 'attached', attachTime: volume.attachment?.since, deleteOnTermination: false },
    })),
  };
}
