import { regions } from '../request_identity.js';
import { type Action, action, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { describeShape, filtered } from './filters.js';

const describeRegions = action({ DryRun: 'boolean', AllRegions: 'boolean', Filter: describeShape.Filter, RegionName: ['string'] }, async (request) => {
  const unknown = (request.RegionName ?? []).filter((name) => !regions.includes(name));
  if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid region(s): ${unknown.join(', ')}`);
  const named = regions.filter((name) => request.RegionName === undefined || request.RegionName.includes(name));
  const found = filtered(
    named.map((id) => ({ id, created: '', tags: [] })),
    request,
    { 'region-name': (region) => region.id, 'opt-in-status': () => 'opt-in-not-required', endpoint: (region) => endpointOf(region.id) },
  );
  stopDryRun(request);
  return { regionInfo: found.map(({ id }) => ({ regionName: id, regionEndpoint: endpointOf(id), optInStatus: 'opt-in-not-required' })) };
});

const describeAvailabilityZones = action(
  { DryRun: 'boolean', AllAvailabilityZones: 'boolean', Filter: describeShape.Filter, ZoneName: ['string'], ZoneId: ['string'] },
  async (request, here) => {
    const zone = { id: here.zone, created: '', tags: [] };
    const unknown = [...(request.ZoneName ?? []), ...(request.ZoneId ?? [])].filter((name) => name !== here.zone);
    if (unknown.length > 0) throw new Ec2Error('InvalidParameterValue', `Invalid availability zone: [${unknown.join(', ')}]`);
    const found = filtered([zone], request, {
      'zone-name': (z) => z.id,
      'zone-id': (z) => z.id,
      'zone-type': () => 'availability-zone',
      'region-name': () => here.region,
      state: () => 'available',
      'opt-in-status': () => 'opt-in-not-required',
    });
    stopDryRun(request);
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

const getEbsEncryptionByDefault = action({ DryRun: 'boolean' }, async (request, here) => {
  stopDryRun(request);
  return { ebsEncryptionByDefault: here.store.settings().encryptByDefault, sseType: 'sse-ebs' };
});

const setEbsEncryptionByDefault = (value: boolean) =>
  action({ DryRun: 'boolean' }, async (request, here) => {
    stopDryRun(request);
    await here.store.exclusive(() => here.store.putSettings({ encryptByDefault: value }));
    return { ebsEncryptionByDefault: value };
  });

export const regionActions: Readonly<Record<string, Action>> = {
  DescribeRegions: describeRegions,
  DescribeAvailabilityZones: describeAvailabilityZones,
  GetEbsEncryptionByDefault: getEbsEncryptionByDefault,
  EnableEbsEncryptionByDefault: setEbsEncryptionByDefault(true),
  DisableEbsEncryptionByDefault: setEbsEncryptionByDefault(false),
};

function endpointOf(region: string): string {
  return `ec2.${region}.amazonaws.com`;
}
