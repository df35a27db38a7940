import { templatePattern } from '../syntax/lexical.js';

/** A JSON Schema (2020-12) under construction. */
export type Schema = Record<string, unknown>;

/** A key with its hover text and an example. */
export function word(text: string, example: string, schema: Schema): Schema {
  return { description: text, markdownDescription: `${text}\n\n\`\`\`yaml\n${example}\n\`\`\``, ...schema };
}

/** A schema that also allows a template for each value of the given one, and null for "not set". */
export function templatable(schema: unknown, top = false): Schema {
  const { type, enum: values, pattern, properties, items, additionalProperties, description, default: preset, ...rest } = schema as Schema;
  const example = top || description === undefined ? {} : hover(String(description), preset, schema as Schema);
  const inner: Schema = { ...rest, ...example };
  if (properties !== undefined) {
    inner['properties'] = Object.fromEntries(Object.entries(properties as Schema).map(([name, s]) => [name, templatable(s)]));
  }
  if (typeof additionalProperties === 'object') inner['additionalProperties'] = templatable(additionalProperties);
  else if (additionalProperties !== undefined) inner['additionalProperties'] = additionalProperties;
  if (items !== undefined) inner['items'] = templatable(items);
  if (top) return { ...inner, type };
  const types = [type ?? []].flat();
  const closed: Schema | undefined = values !== undefined ? { enum: values } : pattern !== undefined && types.includes('string') ? { pattern } : undefined;
  // Not anyOf: editors show the hover text of each branch, and offer the values of all.
  if (closed !== undefined) {
    const offered = values === undefined ? {} : { defaultSnippets: (values as unknown[]).map((value) => ({ label: String(value), body: value })) };
    const free = { anyOf: [{ type: 'null' }, { type: 'string', pattern: templatePattern }] };
    return { ...inner, ...offered, type: [...new Set([...types, 'string', 'null'])], if: { not: free }, then: { description, ...closed } };
  }
  if (types.length === 0) return inner;
  if (types.includes('string')) return { ...inner, type: [...types, 'null'] };
  return { ...inner, type: [...types, 'string', 'null'], pattern: templatePattern };
}

function hover(description: string, preset: unknown, schema: Schema): Schema {
  const tail = preset === undefined ? '' : `\n\nDefault: \`${JSON.stringify(preset)}\``;
  const examples = schema['examples'] as unknown[] | undefined;
  const example = examples?.[0] === undefined ? '' : `\n\nExample: \`${JSON.stringify(examples[0])}\``;
  return { description, markdownDescription: `${description}${tail}${example}`, ...(preset === undefined ? {} : { default: preset }) };
}

/** The schema of an environment. */
export function envSchema(text: string): Schema {
  return word(text, 'env: {DEBIAN_FRONTEND: noninteractive}', {
    type: 'object',
    propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  });
}
