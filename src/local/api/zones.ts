import type { Here } from './action.js';
import { Ec2Error } from './errors.js';

/** The availability zones of a region, by name: three, as most of EC2's have. */
export function zonesOf(region: string): string[] {
  return ['a', 'b', 'c'].map((letter) => `${region}${letter}`);
}

/** The id of a zone, such as `use1-az1` of `us-east-1a`. Source: EC2 User Guide, "Availability Zone IDs". */
export function zoneIdOf(zone: string): string {
  const [, region = '', letter = 'a'] = /^(.*)([a-z])$/.exec(zone) ?? [];
  const [area = '', ...parts] = region.split('-');
  const short = parts.map((part) => part.replace(/(gov|north|south|east|west|central)/g, ([first = '']) => first));
  return `${area}${short.join('')}-az${letter.charCodeAt(0) - 96}`;
}

/**
 * The zone that a request names by its name or its id.
 * @throws Ec2Error where it names none, two, or one that the region does not have.
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
