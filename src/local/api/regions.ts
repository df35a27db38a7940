import { optInRegions, regions } from '../request_identity.js';
import { action, type Here, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { filtered } from './filters.js';
import { zoneIdOf, zonesOf } from './zones.js';

const describeRegions = action('DescribeRegions', async ({ RegionName: wanted, Filter: filters, AllRegions: all = false }, here) => {
  const known = [...regions, ...Object.keys(optInRegions)];
  const unknown = (wanted ?? []).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid region(s): ${unknown.join(', ')}`);
  const shown = known.filter((name) => wanted?.includes(name) ?? (all || optInRegions[name] !== false));
  const found = filtered(
    shown.map((id) => ({ id, created: '', tags: [] })),
    filters,
    { 'region-name': ({ id }) => id, 'opt-in-status': ({ id }) => optInStatusOf(id), endpoint: ({ id }) => endpointOf(id) },
  );
  stopDryRun(here);
  return { regionInfo: found.map(({ id }) => ({ regionName: id, regionEndpoint: endpointOf(id), optInStatus: optInStatusOf(id) })) };
});

function optInStatusOf(region: string): string {
  const optedIn = optInRegions[region];
  if (optedIn === undefined) return 'opt-in-not-required';
  return optedIn ? 'opted-in' : 'not-opted-in';
}

const describeAvailabilityZones = action(
  'DescribeAvailabilityZones',
  async ({ ZoneName: names = [], ZoneId: ids = [], Filter: filters, AllAvailabilityZones: _ }, here) => {
    const zones = zonesOf(here.region);
    const unknown = [...names.filter((name) => !zones.includes(name)), ...ids.filter((id) => !zones.map(zoneIdOf).includes(id))];
    if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid availability zone: [${unknown.join(', ')}]`);
    const all = zones.filter((zone) => names.length + ids.length === 0 || names.includes(zone) || ids.includes(zoneIdOf(zone)));
    const found = filtered(
      all.map((id) => ({ id, created: '', tags: [] })),
      filters,
      {
        'group-long-name': () => here.region,
        'group-name': () => here.region,
        message: () => undefined,
        'opt-in-status': () => 'opt-in-not-required',
        'parent-zone-id': () => undefined,
        'parent-zone-name': () => undefined,
        'region-name': () => here.region,
        state: () => 'available',
        'zone-id': (zone) => zoneIdOf(zone.id),
        'zone-name': (zone) => zone.id,
        'zone-type': () => 'availability-zone',
      },
    );
    stopDryRun(here);
    return {
      availabilityZoneInfo: found.map(({ id }) => ({
        zoneName: id,
        zoneId: zoneIdOf(id),
        zoneState: 'available',
        zoneType: 'availability-zone',
        regionName: here.region,
        groupName: here.region,
        networkBorderGroup: here.region,
        optInStatus: 'opt-in-not-required',
        messageSet: [],
      })),
    };
  },
);

const getEbsEncryptionByDefault = action('GetEbsEncryptionByDefault', async (_, here) => {
  stopDryRun(here);
  return { ebsEncryptionByDefault: here.store.settings().encryptByDefault, sseType: 'sse-ebs' };
});

const getEbsDefaultKmsKeyId = action('GetEbsDefaultKmsKeyId', async (_, here) => {
  stopDryRun(here);
  return { kmsKeyId: 'alias/aws/ebs' };
});

const enableEbsEncryptionByDefault = action('EnableEbsEncryptionByDefault', async (_, here) => encryptByDefault(true, here));
const disableEbsEncryptionByDefault = action('DisableEbsEncryptionByDefault', async (_, here) => encryptByDefault(false, here));

async function encryptByDefault(value: boolean, here: Here) {
  stopDryRun(here);
  await here.store.exclusive(() => here.store.putSettings({ ...here.store.settings(), encryptByDefault: value }));
  return { ebsEncryptionByDefault: value };
}

export const regionActions = [
  describeRegions,
  describeAvailabilityZones,
  getEbsEncryptionByDefault,
  getEbsDefaultKmsKeyId,
  enableEbsEncryptionByDefault,
  disableEbsEncryptionByDefault,
];

function endpointOf(region: string): string {
  return `ec2.${region}.amazonaws.com`;
}
