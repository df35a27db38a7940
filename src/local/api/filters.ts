import type { Resource, Tag } from '../resources.js';
import { Ec2Error } from './errors.js';
import type * as Asked from './model/requests.js';
import { wildcard } from './wildcard.js';

interface Page {
  readonly MaxResults: number | undefined;
  readonly NextToken: string | undefined;
  /** The requested ids, under the name of their parameter. */
  readonly [named: `${string}Id`]: readonly string[] | undefined;
}

/** The values of a resource that each filter checks. */
export type Attributes<T> = Readonly<Record<string, (resource: T) => Value | readonly Value[]>>;

type Value = string | number | boolean | undefined;

/** EC2 filters for which no resource of the embedded EC2 has a value. */
export function nothing(names: string): Attributes<unknown> {
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, () => undefined]),
  );
}

/** Source: EC2 User Guide, "List and filter using the CLI and API". */
const most = { filters: 50, values: 200 };

/** The resources that pass all filters, whose values may contain {@link wildcard}s. */
export function filtered<T extends Resource>(all: readonly T[], filters: readonly Asked.Filter[] = [], attributes: Attributes<T>): T[] {
  const values = filters.reduce((sum, { Value: values = [] }) => sum + values.length, 0);
  if (filters.length > most.filters || values > most.values) {
    throw new Ec2Error('FilterLimitExceeded', `A request may have ${most.filters} filters with ${most.values} values at most.`);
  }
  const testOf = ({ Name: name = '', Value: values = [] }: Asked.Filter) => {
    const patterns = values.map(wildcard);
    const matches = (value: unknown) => value !== undefined && patterns.some((fits) => fits(String(value)));
    if (name.startsWith('tag:')) return (resource: T) => resource.tags.some((tag) => tag.Key === name.slice(4) && matches(tag.Value));
    // EC2 still accepts this filter, but no longer documents it.
    if (name === 'tag-value') return (resource: T) => resource.tags.some((tag) => matches(tag.Value));
    if (name === 'tag-key') return (resource: T) => resource.tags.some((tag) => matches(tag.Key));
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (attribute === undefined) throw new Ec2Error('InvalidParameterValue', `The filter '${name}' is invalid`);
    return (resource: T) => [attribute(resource)].flat().some(matches);
  };
  const tests = filters.map(testOf);
  return all.filter((resource) => tests.every((test) => test(resource)));
}

/** One page of a list, and the token of the next page. The token contains the last id of this page, because resources may appear or disappear. */
export function page<T extends { readonly id: string }>(all: readonly T[], request: Page): { items: readonly T[]; nextToken: string | undefined } {
  const { MaxResults: most, NextToken: token } = request;
  const after = token === undefined ? '' : Buffer.from(token, 'base64url').toString();
  if (token !== undefined && !after.startsWith(tokenMark)) throw new Ec2Error('InvalidParameterValue', `Unable to parse pagination token`);
  const rest = token === undefined ? all : all.filter(({ id }) => id > after.slice(tokenMark.length));
  if (most === undefined) return { items: rest, nextToken: undefined };
  const [named] = Object.entries(request).filter(([name, value]) => name.endsWith('Id') && Array.isArray(value) && value.length > 0);
  if (named !== undefined) throw new Ec2Error('InvalidParameterCombination', `The parameter ${named[0]} cannot be used with the parameter MaxResults`);
  if (most < 5 || most > 1000) {
    throw new Ec2Error('InvalidParameterValue', `Value ( ${most} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.`);
  }
  const items = [...rest].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, most);
  return { items, nextToken: rest.length > most ? Buffer.from(`${tokenMark}${items.at(-1)?.id}`).toString('base64url') : undefined };
}

const tokenMark = 'after ';

/** The tags that a create call sets on a resource of a type. `others`: types of other resources that it creates. */
export function tagsFor(type: Asked.ResourceType, specifications: readonly Asked.TagSpecification[] = [], others: readonly Asked.ResourceType[] = []): Tag[] {
  const invalid = (text: string) => new Ec2Error('InvalidParameterValue', text);
  const tagsOf = ({ ResourceType: resource, Tag: tags = [] }: Asked.TagSpecification) => {
    if (resource === undefined) throw invalid('Tag specification resource type must have a value');
    if (tags.length === 0) throw invalid('Tag specification must have at least one tag');
    if (others.includes(resource)) return [];
    if (resource !== type) throw invalid(`'${resource}' is not a valid taggable resource type for this operation.`);
    return checkedTags(tags);
  };
  return specifications.flatMap(tagsOf);
}

/** Checks EC2's limits on tags: 128 and 256 characters, no `aws:`, no duplicate key. */
export function checkedTags(tags: readonly Asked.Tag[]): Tag[] {
  const seen = new Set<string>();
  const checked = ({ Key: key = '', Value: value = '' }: Asked.Tag) => {
    if (key === '' || key.length > 128) throw new Ec2Error('InvalidParameterValue', `Tag key exceeds the maximum length of 128 characters or is empty`);
    if (value.length > 256) throw new Ec2Error('InvalidParameterValue', `Tag value exceeds the maximum length of 256 characters`);
    if (key.startsWith('aws:'))
      throw new Ec2Error('InvalidParameterValue', `Value ( ${key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use`);
    if (seen.has(key)) throw new Ec2Error('InvalidParameterValue', `Duplicate tag key '${key}' specified.`);
    seen.add(key);
    return { Key: key, Value: value };
  };
  return tags.map(checked);
}

/** Tags in the format of answers. */
export function tagSet(tags: readonly Tag[]) {
  return tags.length === 0 ? undefined : tags.map((tag) => ({ key: tag.Key, value: tag.Value }));
}
