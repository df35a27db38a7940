import type { Resource, Volume } from '../resources.js';
import { action, type Here, mustBeThisInstance, stopDryRun } from './action.js';
import { isReady, selectedVolumes } from './attachments.js';
import { failureOf } from './copying.js';
import { type Attributes, filtered, nothing, page } from './filters.js';
import type { InstanceStatusSummary, VolumeStatusInfoStatus } from './model/answers.js';
import { zoneIdOf } from './zones.js';

const describeVolumeStatus = action('DescribeVolumeStatus', async ({ VolumeId: ids, Filter: filters, MaxResults: most, NextToken: token }, here) => {
  const found = filtered(selectedVolumes(ids, here), filters, attributesOfVolumes(here));
  stopDryRun(here);
  const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, VolumeId: ids });
  return {
    volumeStatusSet: items.map((volume) => ({
      volumeId: volume.id,
      availabilityZone: volume.zone,
      availabilityZoneId: zoneIdOf(volume.zone),
      volumeStatus: { status: statusOf(volume, here), details: [...detailsOf(volume, here)].map(([name, status]) => ({ name, status })) },
      eventsSet: [],
      actionsSet: [],
    })),
    nextToken,
  };
});

function statusOf(volume: Volume, here: Here): VolumeStatusInfoStatus {
  if (failureOf(volume, here) !== undefined) return 'impaired';
  return isReady(volume, here) ? 'ok' : 'insufficient-data';
}

function detailsOf(volume: Volume, here: Here) {
  const io = { ok: 'passed', impaired: 'failed' }[statusOf(volume, here) as 'ok' | 'impaired'] ?? 'not-applicable';
  return new Map([['io-enabled', io] as const, ['io-performance', 'not-applicable'] as const]);
}

/** Source: EC2 API reference, DescribeVolumeStatus. */
function attributesOfVolumes(here: Here): Attributes<Volume> {
  return {
    'availability-zone': (volume) => volume.zone,
    'availability-zone-id': (volume) => zoneIdOf(volume.zone),
    'volume-status.details-name': (volume) => [...detailsOf(volume, here).keys()],
    'volume-status.details-status': (volume) => [...detailsOf(volume, here).values()],
    'volume-status.status': (volume) => statusOf(volume, here),
    ...nothing('action.code action.description action.event-id event.description event.event-id event.event-type event.not-after event.not-before'),
  };
}

/** The status of this machine, which is running. Including stopped instances changes nothing. */
const describeInstanceStatus = action(
  'DescribeInstanceStatus',
  async ({ InstanceId: ids, Filter: filters, MaxResults: most, NextToken: token, IncludeAllInstances: _ }, here) => {
    mustBeThisInstance(ids ?? [], here);
    const found = filtered([{ id: here.instance, created: '', tags: [] }], filters, attributesOfInstance(here));
    stopDryRun(here);
    const { items, nextToken } = page(found, { MaxResults: most, NextToken: token, InstanceId: ids });
    return {
      instanceStatusSet: items.map(({ id }) => ({
        instanceId: id,
        availabilityZone: here.zone,
        availabilityZoneId: zoneIdOf(here.zone),
        instanceState: { code: 16, name: 'running' as const },
        instanceStatus: reachable,
        systemStatus: reachable,
        attachedEbsStatus: reachable,
        eventsSet: [],
      })),
      nextToken,
    };
  },
);

export const statusActions = [describeVolumeStatus, describeInstanceStatus];

const reachable = { status: 'ok', details: [{ name: 'reachability', status: 'passed' }] } as const satisfies InstanceStatusSummary;

/** Source: EC2 API reference, DescribeInstanceStatus. */
function attributesOfInstance(here: Here): Attributes<Resource> {
  return {
    'attached-ebs-status.reachability': () => 'passed',
    'attached-ebs-status.status': () => 'ok',
    'availability-zone': () => here.zone,
    'availability-zone-id': () => zoneIdOf(here.zone),
    'instance-state-code': () => 16,
    'instance-state-name': () => 'running',
    'instance-status.reachability': () => 'passed',
    'instance-status.status': () => 'ok',
    'operator.managed': () => false,
    'system-status.reachability': () => 'passed',
    'system-status.status': () => 'ok',
    ...nothing('event.code event.description event.instance-event-id event.not-after event.not-before event.not-before-deadline operator.principal'),
  };
}
