import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A schema as the SDK's packages have them. Source: @smithy/core/schema, `StaticSchema`. */
type Schema = number | readonly unknown[] | (() => Schema);
type Traits = Readonly<Record<string, unknown>>;
type Structure = readonly [number, string, string, Traits | number, readonly string[], readonly Schema[], number?];

const root = 'node_modules/@aws-sdk/client-ebs';
const note = '// Made from the model in the packages of the SDK by `npm run generate`: scripts/ebs_model.ts.\n\n';

/** Where a request or an answer has a member, and its type. */
interface Member {
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly at: string;
}

/** src/local/api/model/ebs.ts, and the names of the actions of EBS. */
export async function ebsModel(): Promise<{ readonly names: readonly string[]; readonly files: Readonly<Record<string, string>> }> {
  const schemas = Object.values(await load('schemas/schemas_0.js')).filter((schema): schema is readonly unknown[] => Array.isArray(schema));
  const enums = new Map(Object.entries(await load('models/enums.js')).map(([name, values]) => [name, Object.values(values as object).sort() as string[]]));
  const model = new Model(enums);
  const actions = schemas.filter(([kind]) => kind === 9).map((action) => actionOf(action, model));
  const errors = schemas.filter(([kind, of]) => kind === -3 && of === 'com.amazonaws.ebs');
  const used = (name: string) => model.used.has(name) || name.endsWith('ExceptionReason');
  const text = `${note}type Actions = Readonly<Record<string, { readonly method: string; readonly path: string; readonly status: number; readonly input: Members; readonly output: Members }>>;

/**
 * Members with their types: \`string\`, \`integer\`, \`boolean\`, \`timestamp\`, \`blob\`, an enumeration or a structure; \`[]\` is a list,
 * \`!\` must be given. After it, where a member is unless it is in the JSON of the body.
 */
export type Members = Readonly<Record<string, string>>;

/** The actions of EBS. */
export const actions: Actions = {
${actions.map(({ name, shape }) => `  ${name}: ${shape},\n`).join('')}};

export const structures: Readonly<Record<string, Members>> = { Tag: { Key: 'string', Value: 'string' } };

/** The values of enumerations. */
export const enums: Readonly<Record<string, readonly string[]>> = {
${[...enums].flatMap(([name, values]) => (model.used.has(name) ? `  ${name}: [${values.map((value) => `'${value}'`).join(', ')}],\n` : [])).join('')}};

/** The HTTP status of errors. */
export const errors = {
${errors.map(([, , name, traits]) => `  ${name}: ${(traits as Traits)['httpError']},\n`).join('')}} as const;

${[...enums].flatMap(([name, values]) => (used(name) ? `export type ${name} = ${values.map((value) => `'${value}'`).join(' | ')};\n` : [])).join('')}
${model.structures()}
/** What the actions take. */
export interface Requests {
${actions.map(({ name, request }) => `  readonly ${name}: ${request};\n`).join('')}}

/** What the actions answer. */
export interface Answers {
${actions.map(({ name, answer }) => `  readonly ${name}: ${answer};\n`).join('')}}
`;
  return { names: actions.map(({ name }) => name).sort(), files: { 'src/local/api/model/ebs.ts': text } };
}

function actionOf([, , name, traits, input, output]: readonly unknown[], model: Model) {
  const [method, path, status] = (traits as { readonly http: readonly [string, string, number] }).http;
  const [taken, given] = [model.membersOf(input as Schema, 'request'), model.membersOf(output as Schema, 'answer')];
  const shape = (members: readonly Member[]) =>
    `{ ${members.map(({ name, type, isRequired, at }) => `${name}: '${type}${isRequired ? '!' : ''}${at}'`).join(', ')} }`;
  const typed = (members: readonly Member[]) =>
    `{ ${members.map(({ name, type, isRequired }) => `readonly ${name}${isRequired ? '' : '?'}: ${typeScript(type)}${isRequired ? '' : ' | undefined'};`).join(' ')} }`;
  return {
    name: String(name),
    shape: `{ method: '${method}', path: '${path}', status: ${status}, input: ${shape(taken)}, output: ${shape(given)} }`,
    request: typed(taken),
    answer: typed(given),
  };
}

function typeScript(type: string): string {
  const [, one = '', list] = /^(\w+)(\[\])?$/.exec(type) ?? [];
  const name = { integer: 'number', timestamp: 'Date', blob: 'Uint8Array' }[one] ?? one;
  return list === undefined ? name : `readonly ${name}[]`;
}

class Model {
  /** The enumerations that members have. */
  readonly used = new Set<string>();
  private readonly found = new Map<string, Structure>();
  private readonly declared = declaredTypes();

  constructor(private readonly enums: ReadonlyMap<string, readonly string[]>) {}

  membersOf(schema: Schema, way: 'request' | 'answer'): Member[] {
    const [, , structure, , names, schemas, required = 0] = resolved(schema) as Structure;
    return names.map((name, i) => {
      const [type, traits] = withTraits(schemas[i] as Schema);
      return { name, type: this.typeOf(type, `${structure}.${name}`), isRequired: way === 'request' && i < required, at: placeOf(traits) };
    });
  }

  /** The structures of lists, as types. */
  structures(): string {
    const text = ([name, structure]: [string, Structure]) =>
      `export interface ${name} { ${this.membersOf(structure, 'answer')
        .map((member) => `readonly ${member.name}?: ${typeScript(member.type)} | undefined;`)
        .join(' ')} }\n`;
    return [...this.found].map(text).join('');
  }

  private typeOf(schema: Schema, member: string): string {
    const known = resolved(schema);
    if (typeof known === 'number') {
      const declared = this.declared.get(member) ?? '';
      if (this.enums.has(declared)) this.used.add(declared);
      return this.enums.has(declared) ? declared : scalarType(known);
    }
    if (!Array.isArray(known) || known[0] !== 1) throw new Error(`${member}: an unknown schema`);
    const [item] = withTraits(known[4] as Schema);
    this.found.set((item as Structure)[2], item as Structure);
    return `${(item as Structure)[2]}[]`;
  }
}

/** The types of members as they are declared: only they tell which strings are enumerations. */
function declaredTypes(): ReadonlyMap<string, string> {
  const types = join(root, 'dist-types/models');
  const text = readdirSync(types)
    .filter((name) => /^models_[0-9]+\.d\.ts$/.test(name))
    .map((name) => readFileSync(join(types, name), 'utf8').replace(/\/\*.*?\*\//gs, ''))
    .join('\n');
  const found = [...text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)].flatMap(([, structure, body = '']) =>
    [...body.matchAll(/^ {4}(\w+)\??: (\w+)/gm)].map(([, member, type = '']) => [`${structure}.${member}`, type] as const),
  );
  return new Map(found);
}

function placeOf({ httpHeader, httpQuery, httpLabel, httpPayload }: Traits): string {
  if (httpHeader !== undefined) return ` header ${httpHeader}`;
  if (httpQuery !== undefined) return ` query ${httpQuery}`;
  if (httpLabel !== undefined) return ' path';
  return httpPayload === undefined ? '' : ' body';
}

/** A schema, and its traits where it is a pair of those. Source: @smithy/core/schema, `translateTraits`: 1 is a label of the path, 16 the whole body. */
function withTraits(schema: Schema): [Schema, Traits] {
  if (!Array.isArray(schema) || schema.length !== 2) return [resolved(schema), {}];
  const [of, traits] = schema as [Schema, Traits | number];
  if (typeof traits !== 'number') return [resolved(of), traits];
  return [resolved(of), { ...((traits & 1) !== 0 ? { httpLabel: 1 } : {}), ...((traits & 16) !== 0 ? { httpPayload: 1 } : {}) }];
}

/** The schema that a function gives; a plain type with a name, `[0, namespace, name, traits, type]`, is its type. */
function resolved(schema: Schema): Schema {
  if (typeof schema === 'function') return resolved(schema());
  return Array.isArray(schema) && schema[0] === 0 ? (schema[4] as number) : schema;
}

/** Source: @smithy/core/schema, `NormalizedSchema`. */
function scalarType(code: number): string {
  const type = { 0: 'string', 1: 'integer', 2: 'boolean', 4: 'timestamp', 42: 'blob' }[code];
  if (type === undefined) throw new Error(`an unknown schema ${code}`);
  return type;
}

function load(file: string): Promise<Record<string, unknown>> {
  return import(pathToFileURL(join(root, 'dist-es', file)).href) as Promise<Record<string, unknown>>;
}
