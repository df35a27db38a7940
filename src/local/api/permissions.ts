import type { Resource, Sharing } from '../resources.js';
import { type Here, ownerOf } from './action.js';
import { Ec2Error } from './errors.js';
import type { OperationType } from './model/requests.js';

interface Change {
  readonly add: Sharing;
  readonly remove: Sharing;
}

/**
 * Which accounts to add and remove. A request can specify that in two ways.
 * @throws Ec2Error when it specifies nothing, or is invalid.
 */
export function changeOf(
  {
    named,
    operation,
    plain,
    added,
    removed,
  }: {
    /** The attribute that is named, and what to do with the accounts listed without an operation. */
    readonly named: string | undefined;
    readonly operation: OperationType | undefined;
    readonly plain: Partial<Sharing>;
    readonly added: readonly Partial<Sharing>[];
    readonly removed: readonly Partial<Sharing>[];
  },
  attribute: string,
): Change {
  if (named !== undefined && named !== attribute) throw new Ec2Error('InvalidParameterCombination', `The attribute ${named} is not ${attribute}`);
  const change = { add: joined([...(operation === 'add' ? [plain] : []), ...added]), remove: joined([...(operation === 'remove' ? [plain] : []), ...removed]) };
  const all = joined([change.add, change.remove]);
  if (Object.values(all).every((list) => list.length === 0)) throw new Ec2Error('InvalidParameterCombination', 'No attributes specified.');
  const [group] = all.groups.filter((name) => name !== 'all');
  if (group !== undefined) throw badItem(group, 'userGroup');
  const [user] = all.users.filter((id) => !/^[0-9]{12}$/.test(id));
  if (user !== undefined) throw badItem(user, 'userId');
  return change;
}

function badItem(value: string, type: string): Ec2Error {
  return new Ec2Error('InvalidAMIAttributeItemValue', `Invalid attribute item value "${value}" for ${type} item type.`);
}

/** Who may use a resource after a change. */
export function changed(before: Sharing = none, { add, remove }: Change): Sharing {
  const one = (key: keyof Sharing) => [...new Set([...before[key], ...add[key]])].filter((name) => !remove[key].includes(name));
  return { users: one('users'), groups: one('groups'), organizations: one('organizations'), units: one('units') };
}

/** The resources of the owners named in a request, or all. */
export function ownedBy<T extends Resource>(all: readonly T[], owners: readonly string[] | undefined, here: Here): T[] {
  mustBeAccounts(owners, ['self', 'amazon', 'aws-marketplace', 'aws-backup-vault']);
  return all.filter((resource) => {
    const owner = ownerOf(resource);
    return owners === undefined || owners.some((named) => named === owner || (named === 'self' && owner === here.account));
  });
}

function mustBeAccounts(accounts: readonly string[] = [], names: readonly string[]): void {
  const wrong = accounts.find((account) => !names.includes(account) && !/^[0-9]{12}$/.test(account));
  if (wrong !== undefined) throw new Ec2Error('InvalidUserID.Malformed', `Invalid user id: "${wrong}"`);
}

/** The value for the filter `owner-alias`. There are no accounts such as `amazon`. */
export function aliasOf(resource: Resource, { account }: Here): string | undefined {
  return ownerOf(resource) === account ? 'self' : undefined;
}

/**
 * The resources that the named accounts may use, or all. `own`: whether `self` includes one's own resources.
 * Source: EC2 API reference, `ExecutableBy` of DescribeImages and `RestorableBy` of DescribeSnapshots.
 */
export function usableBy<T extends Resource & { readonly sharedWith?: Sharing | undefined }>(
  all: readonly T[],
  accounts: readonly string[] | undefined,
  { account }: Here,
  own: 'own too' | 'shared only',
): readonly T[] {
  if (accounts === undefined) return all;
  mustBeAccounts(accounts, ['self', 'all']);
  const usableByOne = (resource: T, named: string) => {
    const { users, groups } = resource.sharedWith ?? none;
    if (named === 'all') return groups.includes('all');
    const wanted = named === 'self' ? account : named;
    return users.includes(wanted) || (own === 'own too' && wanted === account && ownerOf(resource) === account);
  };
  return all.filter((resource) => accounts.some((named) => usableByOne(resource, named)));
}

const none: Sharing = { users: [], groups: [], organizations: [], units: [] };

function joined(all: readonly Partial<Sharing>[]): Sharing {
  const one = (key: keyof Sharing) => all.flatMap((sharing) => sharing[key] ?? []);
  return { users: one('users'), groups: one('groups'), organizations: one('organizations'), units: one('units') };
}
