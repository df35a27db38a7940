import { machine } from '../instance_identity.js';
import { type Action, action, type Here, mustBeThisInstance, stopDryRun } from './action.js';
import { describeShape, filtered, page } from './filters.js';
import { attachedVolumes } from './volumes.js';

const describeInstances = action({ ...describeShape, InstanceId: ['string'] }, async (request, here) => {
  for (const id of request.InstanceId ?? []) mustBeThisInstance(id, here);
  // The machine we are on is the only instance there is.
  const found = filtered([{ id: here.instance, created: '', tags: [] }], request, {
    'instance-id': (i) => i.id,
    'instance-state-name': () => 'running',
    'availability-zone': () => here.zone,
  });
  stopDryRun(request);
  const { items, nextToken } = page(found, request);
  return {
    reservationSet: items.map(() => ({ reservationId: `r-${here.instance.slice(2)}`, ownerId: here.account, instancesSet: [instance(here)] })),
    nextToken,
  };
});

export const instanceActions: Readonly<Record<string, Action>> = { DescribeInstances: describeInstances };

function instance(here: Here) {
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
