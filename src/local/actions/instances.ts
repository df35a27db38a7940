import { type Action, action, type Here, stopDryRun } from '../action.js';
import { Ec2Error } from '../errors.js';
import { describeShape, filtered, page } from '../filters.js';
import { attachedVolumes } from './volumes.js';

const describeInstances = action({ ...describeShape, InstanceId: ['string'] }, async (request, here) => {
  for (const id of request.InstanceId ?? []) {
    if (id !== here.instance) throw new Ec2Error('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  }
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
    // One of its own EC2's clients would not know.
    instanceType: machine() === 'arm64' ? 't4g.nano' : 't3.nano',
    instanceState: { code: 16, name: 'running' },
    placement: { availabilityZone: here.zone, tenancy: 'default' },
    architecture: machine(),
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

/** This machine's architecture by EC2's name for it. */
function machine(): string {
  return process.arch === 'arm64' ? 'arm64' : 'x86_64';
}
