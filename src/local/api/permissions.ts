import type { Resource, Sharing } from '../store.js';
import { type Here, ownerOf } from './action.js';
import { Ec2Error } from './errors.js';

interface Entry {
  readonly UserId?: string;
  readonly Group?: string;
  readonly OrganizationArn?: string;
  readonly OrganizationalUnitArn?: string;
}

interface Change {
  readonly add: Sharing;
  readonly remove: Sharing;
}

/**
 * Who is to be added and removed, by either of the two ways a request can say it.
 * @throws Ec2Error when it says nothing, or what cannot be.
 */
export function changeOf(
  request: {
    readonly Attribute?: string;
    readonly OperationType?: string;
    readonly UserId?: readonly string[];
    readonly UserGroup?: readonly string[];
    readonly OrganizationArn?: readonly string[];
    readonly OrganizationalUnitArn?: readonly string[];
  },
  permission: { readonly Add?: readonly Entry[]; readonly Remove?: readonly Entry[] } | undefined,
  attribute: string,
): Change {
  const { Attribute: named = attribute, OperationType: operation } = request;
  if (named !== attribute) throw new Ec2Error('InvalidParameterCombination', `The attribute ${named} is not ${attribute}`);
  const plain: Sharing = {
    users: request.UserId ?? [],
    groups: request.UserGroup ?? [],
    organizations: request.OrganizationArn ?? [],
    units: request.OrganizationalUnitArn ?? [],
  };
  const change = {
    add: joined(operation === 'add' ? plain : none, sharingOf(permission?.Add)),
    remove: joined(operation === 'remove' ? plain : none, sharingOf(permission?.Remove)),
  };
  const all = joined(change.add, change.remove);
  if (Object.values(all).every((list) => list.length === 0)) throw new Ec2Error('InvalidParameterCombination', 'No attributes specified.');
  const [group] = all.groups.filter((name) => name !== 'all');
  if (group !== undefined) throw new Ec2Error('InvalidParameterValue', `Invalid value '${group}' for group. Valid values: all`);
  const [user] = all.users.filter((id) => !/^[0-9]{12}$/.test(id));
  if (user !== undefined) throw new Ec2Error('InvalidAMIAttributeItemValue', `Invalid attribute item value "${user}" for userId item type.`);
  return change;
}

/** Who may use a thing after a change. */
export function changed(before: Sharing = none, { add, remove }: Change): Sharing {
  const one = (key: keyof Sharing) => [...new Set([...before[key], ...add[key]])].filter((name) => !remove[key].includes(name));
  return { users: one('users'), groups: one('groups'), organizations: one('organizations'), units: one('units') };
}

/** The resources that belong to one of the owners named in a request; all where none are. */
export function ownedBy<T extends Resource>(all: readonly T[], owners: readonly string[] | undefined, here: Here): T[] {
  return all.filter((resource) => {
    const owner = ownerOf(resource);
    return owners === undefined || owners.length === 0 || owners.some((named) => named === owner || (named === 'self' && owner === here.account));
  });
}

const none: Sharing = { users: [], groups: [], organizations: [], units: [] };

function sharingOf(entries: readonly Entry[] = []): Sharing {
  const all = (pick: (entry: Entry) => string | undefined) => entries.flatMap((entry) => pick(entry) ?? []);
  return {
    users: all((e) => e.UserId),
    groups: all((e) => e.Group),
    organizations: all((e) => e.OrganizationArn),
    units: all((e) => e.OrganizationalUnitArn),
  };
}

function joined(a: Sharing, b: Sharing): Sharing {
  return {
    users: [...a.users, ...b.users],
    groups: [...a.groups, ...b.groups],
    organizations: [...a.organizations, ...b.organizations],
    units: [...a.units, ...b.units],
  };
}
