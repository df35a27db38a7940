import type { Here } from './action.js';
import { Ec2Error } from './errors.js';

/** The names of the availability zones of a region: three, as in most regions of EC2. */
export function zonesOf(region: string): string[] {
  return ['a', 'b', 'c'].map((letter) => `${region}${letter}`);
}

/** The id of a zone, e.g. `use1-az1` for `us-east-1a`. Source: EC2 User Guide, "Availability Zone IDs". */
export function zoneIdOf(zone: string): string {
  const [, region = '', letter = 'a'] = /^(.*)([a-z])$/.exec(zone) ?? [];
  const [area = '', ...parts] = region.split('-');
  const short = parts.map((part) => part.replace(/(gov|north|south|east|west|central)/g, ([first = '']) => first));
  return `${area}${short.join('')}-az${letter.charCodeAt(0) - 96}`;
}

/**
 * The zone that a request specifies by name or id.
 * @throws Ec2Error when it specifies none, both, or a zone that the region does not have.
 */
export function zoneNamed(name: string | undefined, id: string | undefined, here: Here): string {
  if (name !== undefined && id !== undefined) {
    throw new Ec2Error('InvalidParameterCombination', 'The parameters AvailabilityZone and AvailabilityZoneId cannot be used together.');
  }
  if (name === undefined && id === undefined) throw new Ec2Error('MissingParameter', 'The request must contain the parameter AvailabilityZone');
  const found = zonesOf(here.region).find((zone) => zone === name || zoneIdOf(zone) === id);
  if (found === undefined) throw new Ec2Error('InvalidZone.NotFound', `The zone '${name ?? id}' does not exist.`);
  return found;
}
