import type { Kind, Resource, Tag } from '../resources.js';
import { action, type Here, mustBeThisInstance, own, ownerOf, stopDryRun } from './action.js';
import { Ec2Error } from './errors.js';
import { checkedTags, filtered, page } from './filters.js';
import type * as Asked from './model/requests.js';
import type { ResourceType } from './model/requests.js';

const kinds: readonly { readonly kind: Kind; readonly type: ResourceType; readonly prefix: string }[] = [
  { kind: 'volumes', type: 'volume', prefix: 'vol' },
  { kind: 'snapshots', type: 'snapshot', prefix: 'snap' },
  { kind: 'images', type: 'image', prefix: 'ami' },
];

const createTags = action('CreateTags', async ({ ResourceId: ids, Tag: wanted }, here) => {
  const tags = checkedTags(wanted);
  if (ids.length === 0 || tags.length === 0)
    throw new Ec2Error('MissingParameter', `The request must contain the parameter ${ids.length === 0 ? 'resourceIdSet' : 'tagSet'}`);
  stopDryRun(here);
  await here.store.exclusive(() => {
    for (const { before, put } of ids.map((id) => tagsOf(id, here))) {
      const kept = before.filter((tag) => !tags.some((t) => t.Key === tag.Key));
      if (kept.length + tags.length > 50) throw new Ec2Error('TagLimitExceeded', `The maximum number of Tags for a resource has been reached.`);
      put([...kept, ...tags]);
    }
  });
  return { return: true };
});

const deleteTags = action('DeleteTags', async ({ ResourceId: ids, Tag: wanted }, here) => {
  if (ids.length === 0) throw new Ec2Error('MissingParameter', 'The request must contain the parameter resourceIdSet');
  stopDryRun(here);
  // Source: EC2 API reference, DeleteTags: without tags, all are deleted; a tag with a value is deleted only if it has
  // that value.
  const goesFor = (tag: Tag, { Key: key, Value: value }: Asked.Tag) => key === tag.Key && (value === undefined || value === tag.Value);
  const goes = (tag: Tag) => wanted?.some((one) => goesFor(tag, one)) ?? true;
  await here.store.exclusive(() => {
    for (const { before, put } of ids.map((id) => tagsOf(id, here))) put(before.filter((tag) => !goes(tag)));
  });
  return { return: true };
});

const describeTags = action('DescribeTags', async ({ Filter: filters, MaxResults: most, NextToken: token }, here) => {
  const all = kinds.flatMap(({ kind, type }) =>
    here.store
      .list(kind)
      .filter((resource) => ownerOf(resource) === here.account)
      .flatMap((resource) => resource.tags.map((tag) => rowOf(tag, type, resource))),
  );
  const ofMachine = { id: here.instance, created: '', tags: here.store.settings().instanceTags ?? [] };
  all.push(...ofMachine.tags.map((tag) => rowOf(tag, 'instance', ofMachine)));
  all.sort((a, b) => (a.id < b.id ? -1 : 1));
  const found = filtered(all, filters, {
    key: (row) => row.key,
    value: (row) => row.value,
    'resource-id': (row) => row.resource,
    'resource-type': (row) => row.type,
  });
  stopDryRun(here);
  const { items, nextToken } = page(found, { MaxResults: most, NextToken: token });
  return { tagSet: items.map((row) => ({ resourceId: row.resource, resourceType: row.type, key: row.key, value: row.value })), nextToken };
});

export const tagActions = [createTags, deleteTags, describeTags];

function rowOf(tag: Tag, type: ResourceType, resource: Resource) {
  return { id: `${resource.id} ${tag.Key}`, resource: resource.id, created: resource.created, tags: [tag], type, key: tag.Key, value: tag.Value };
}

/** The tags of a resource, and a function to replace them. The caller holds the store. */
function tagsOf(id: string, here: Here): { readonly before: readonly Tag[]; readonly put: (tags: readonly Tag[]) => void } {
  // Source: EC2 API reference, "Error codes": requests about tags report malformed ids as InvalidID.
  const [, named] = /^([a-z]+)-([0-9a-f]{8}|[0-9a-f]{17})$/.exec(id) ?? [];
  if (named === 'i') {
    mustBeThisInstance([id], here);
    const settings = here.store.settings();
    return { before: settings.instanceTags ?? [], put: (tags) => here.store.putSettings({ ...settings, instanceTags: tags }) };
  }
  const kind = kinds.find(({ prefix }) => prefix === named)?.kind;
  if (kind === undefined) throw new Ec2Error('InvalidID', `The ID '${id}' is not valid`);
  const resource = own(here, kind, id);
  return { before: resource.tags, put: (tags) => here.store.put(kind, { ...resource, tags } as never) };
}
