import { regions } from '../request_identity.js';
import { action, type Here, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { filtered } from './filters.js';

const describeRegions = action('DescribeRegions', async ({ RegionName: wanted, Filter: filters, AllRegions: _ }, here) => {
  const unknown = (wanted ?? []).filter((name) => !regions.includes(name));
  if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid region(s): ${unknown.join(', ')}`);
  const named = regions.filter((name) => wanted === undefined || wanted.includes(name));
  const found = filtered(
    named.map((id) => ({ id, created: '', tags: [] })),
    filters,
    { 'region-name': (region) => region.id, 'opt-in-status': () => 'opt-in-not-required', endpoint: (region) => endpointOf(region.id) },
  );
  stopDryRun(here);
  return { regionInfo: found.map(({ id }) => ({ regionName: id, regionEndpoint: endpointOf(id), optInStatus: 'opt-in-not-required' })) };
});

const describeAvailabilityZones = action(
  'DescribeAvailabilityZones',
  async ({ ZoneName: names = [], ZoneId: ids = [], Filter: filters, AllAvailabilityZones: _ }, here) => {
    const zone = { id: here.zone, created: '', tags: [] };
    const unknown = [...names, ...ids].filter((name) => name !== here.zone);
    if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid availability zone: [${unknown.join(', ')}]`);
    const found = filtered([zone], filters, {
      'zone-name': (z) => z.id,
      'zone-id': (z) => z.id,
      'zone-type': () => 'availability-zone',
      'region-name': () => here.region,
      state: () => 'available',
      'opt-in-status': () => 'opt-in-not-required',
    });
    stopDryRun(here);
    return {
      availabilityZoneInfo: found.map(({ id }) => ({
        zoneName: id,
        zoneId: id,
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

const enableEbsEncryptionByDefault = action('EnableEbsEncryptionByDefault', async (_, here) => encryptByDefault(true, here));
const disableEbsEncryptionByDefault = action('DisableEbsEncryptionByDefault', async (_, here) => encryptByDefault(false, here));

async function encryptByDefault(value: boolean, here: Here) {
  stopDryRun(here);
  await here.store.exclusive(() => here.store.putSettings({ encryptByDefault: value }));
  return { ebsEncryptionByDefault: value };
}

export const regionActions = [
  describeRegions,
  describeAvailabilityZones,
  getEbsEncryptionByDefault,
  enableEbsEncryptionByDefault,
  disableEbsEncryptionByDefault,
];

function endpointOf(region: string): string {
  return `ec2.${region}.amazonaws.com`;
}
