import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Names, patternsOf } from './patterns.js';
import { type Members, servedActions } from './served_actions.js';

/** A schema as the SDK's packages have them. Source: @smithy/core/schema, `StaticSchema`. */
type Schema = number | readonly unknown[] | (() => Schema);
type Structure = readonly [3, string, string, unknown, readonly string[], readonly Schema[], number?];

/** A member of a structure, or what a list is of. */
interface Member {
  readonly name: string;
  readonly type: string;
  readonly isList: boolean;
  /** Of a structure. */
  readonly structure?: Structure;
  readonly isRequired: boolean;
}

const api = 'src/local/api';
const note = '// Made from the model in the packages of the SDK by `npm run generate`: scripts/ec2_model.ts.\n\n';

/**
 * The files of src/local/api/model of EC2 and STS, and docs/served-actions.md, which has the actions of EBS too. An action accepts the parameters that its function takes apart,
 * `action('DeleteVolume', async ({ VolumeId: id }, here) => …)`, and a structure those that a function with its type
 * takes apart, `({ Key, Value }: Asked.Tag)`: so the compiler finds whatever is accepted and read by nobody.
 */
export async function ec2Model(ebs: readonly string[]): Promise<Record<string, string>> {
  const { actions, structures } = patternsOf(readdirSync(api).flatMap((name) => (name.endsWith('.ts') ? [readFileSync(join(api, name), 'utf8')] : [])));
  const [ec2, sts] = [await modelOf('client-ec2'), await modelOf('client-sts')];
  const requests = new Requests(structures);
  const answers = new Answers();
  const served = [...actions].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, read] of served) {
    const model = ec2.operations.has(name) ? ec2 : sts;
    const operation = model.operations.get(name);
    if (operation === undefined) throw new Error(`${api}: EC2 and STS have no action ${name}`);
    requests.add(name, operation.input, read, model);
    answers.add(name, operation.output, model);
  }
  const names = [...ec2.operations.keys()].sort().join(' ');
  return {
    [`${api}/model/shapes.ts`]: requests.shapes(),
    [`${api}/model/requests.ts`]: requests.types(),
    [`${api}/model/answers.ts`]: answers.types(),
    [`${api}/model/names.ts`]: `${note}/** All actions of EC2. */\nexport const actionNames = '${names}';\n`,
    'docs/served-actions.md': servedActions(requests.actions, requests.structures, ebs),
  };
}

/** The parameters of the actions that are served: as a table to parse them by, and as types. */
class Requests {
  /** The members by name, with their types as src/local/api/model/shapes.ts has them. */
  readonly actions = new Map<string, Members>();
  readonly structures = new Map<string, Members>();
  private readonly typesOf = new Map<Members, string>();
  private readonly enums = new Map<string, readonly string[]>();

  constructor(private readonly readBy: ReadonlyMap<string, Names>) {}

  add(name: string, input: Structure, read: Names, model: Model): void {
    // Of EC2's, whether a request is one is asked in one place.
    this.actions.set(name, this.membersOf(input, model.isEc2 ? new Set([...read, 'DryRun']) : read, model));
  }

  private membersOf(structure: Structure, read: Names, model: Model): Members {
    const members = model.membersOf(structure, 'request');
    for (const name of read) if (!members.some((member) => member.name === name)) throw new Error(`${api}: ${structure[2]} has no ${name}`);
    const made: Members = new Map(
      members.map((member) => {
        if (!read.has(member.name)) return [member.name, ''];
        if (member.isList && !model.isEc2) return [member.name, 'any'];
        if (member.structure !== undefined) this.addStructure(member.structure, model);
        else this.addEnum(member.type, model);
        return [member.name, `${member.type}${member.isList ? '[]' : ''}${member.isRequired ? '!' : ''}`];
      }),
    );
    const type = members
      .filter(({ name }) => read.has(name))
      .map((member) => `readonly ${member.name}${member.isRequired ? '' : '?'}: ${requestType(member, model)};`);
    this.typesOf.set(made, `{ ${type.join(' ')} }`);
    return made;
  }

  private addStructure(structure: Structure, model: Model): void {
    const [, , name] = structure;
    const read = this.readBy.get(name);
    if (read === undefined) throw new Error(`${api}: no function takes an Asked.${name} apart`);
    if (!this.structures.has(name)) this.structures.set(name, this.membersOf(structure, read, model));
  }

  private addEnum(type: string, model: Model): void {
    const values = model.enums.get(type);
    if (values !== undefined) this.enums.set(type, values);
  }

  shapes(): string {
    const line = ([name, members]: [string, Members]) => `  ${name}: { ${[...members].map(([member, type]) => `${member}: '${type}'`).join(', ')} },\n`;
    const structures = [...this.structures].map(line).sort();
    const enums = [...this.enums].map(([name, values]) => `  ${name}: '${values.join(' ')}',\n`).sort();
    const actions = [...this.actions].map(line);
    return `${note}type Shapes = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The values of enumerations. */
export const enums: Readonly<Record<string, string>> = {
${enums.join('')}};

/**
 * The members of structures with their types: \`string\`, \`integer\`, \`boolean\`, \`timestamp\`, an enumeration or a
 * structure; \`[]\` is a list, \`!\` must be given, \`any\` is a list of STS, which is written in another way and not read, and
 * those without a type EC2 has, but they are not served.
 */
export const structures: Shapes = {
${structures.join('')}};

/** The parameters of the actions that are served, as those of structures. */
export const actions: Shapes = {
${actions.join('')}};
`;
  }

  types(): string {
    const structures = [...this.structures].map(([name, members]) => `export interface ${name} ${this.typesOf.get(members)}\n`).sort();
    return `${note}${enumTypes(this.enums)}
${structures.join('')}
/** The parameters of the actions that are served. */
export interface Requests {
${[...this.actions].map(([name, members]) => `  readonly ${name}: ${this.typesOf.get(members)};\n`).join('')}}
`;
  }
}

/** What the actions that are served may answer. */
class Answers {
  private readonly actions: string[] = [];
  private readonly structures = new Map<string, string>();
  private readonly enums = new Map<string, readonly string[]>();

  add(name: string, output: Structure | undefined, model: Model): void {
    this.actions.push(`  readonly ${name}: ${output === undefined ? done : this.nameOf(output, model)};\n`);
  }

  private nameOf(structure: Structure, model: Model): string {
    const [, , name] = structure;
    if (this.structures.has(name)) return name;
    this.structures.set(name, '');
    const members = model.membersOf(structure, 'answer').map((member) => {
      const values = model.enums.get(member.type);
      if (values !== undefined) this.enums.set(member.type, values);
      const type = member.structure === undefined ? answerType(member.type) : this.nameOf(member.structure, model);
      return `readonly ${member.name}?: ${member.isList ? `readonly ${type}[]` : type} | undefined;`;
    });
    this.structures.set(name, `export interface ${name} { ${members.join(' ')} }\n`);
    return name;
  }

  types(): string {
    return `${note}${enumTypes(this.enums)}
${[...this.structures.values()].sort().join('')}
/** What the actions that are served answer, by their names in XML. */
export interface Answers {
${this.actions.join('')}}
`;
  }
}

/** What EC2 answers where the model has nothing. */
const done = '{ readonly return?: true }';

function enumTypes(enums: ReadonlyMap<string, readonly string[]>): string {
  return [...enums]
    .map(([name, values]) => `export type ${name} = ${values.map((value) => `'${value}'`).join(' | ')};\n`)
    .sort()
    .join('');
}

function requestType({ type, isList }: Member, { isEc2 }: Model): string {
  if (isList && !isEc2) return 'unknown';
  const one = { integer: 'number', timestamp: 'string' }[type] ?? type;
  return isList ? `readonly ${one}[]` : one;
}

function answerType(type: string): string {
  return { integer: 'number', timestamp: 'string | Date' }[type] ?? type;
}

/** The model of a service, from the package of its client. */
class Model {
  readonly enums: ReadonlyMap<string, readonly string[]>;
  /** The types of the members of structures, as they are declared: only they tell which strings are enumerations. */
  private readonly declared = new Map<string, string>();
  readonly operations = new Map<string, { readonly input: Structure; readonly output: Structure | undefined }>();

  constructor(
    readonly isEc2: boolean,
    schemas: Readonly<Record<string, unknown>>,
    enums: Readonly<Record<string, unknown>>,
    declarations: string,
  ) {
    this.enums = new Map(Object.entries(enums).map(([name, values]) => [name, Object.values(values as Record<string, string>).sort()]));
    for (const [, structure, body = ''] of declarations.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
      for (const [, member, type = ''] of body.matchAll(/^ {4}(\w+)\??: ([^;]*);/gm)) this.declared.set(`${structure}.${member}`, type);
    }
    for (const schema of Object.values(schemas)) {
      if (!Array.isArray(schema) || schema[0] !== 9) continue;
      const [input, output] = [resolved(schema[4] as Schema), resolved(schema[5] as Schema)];
      const isStructure = (found: Schema): found is Structure => Array.isArray(found) && found[0] === 3;
      if (isStructure(input)) this.operations.set(String(schema[2]), { input, output: isStructure(output) ? output : undefined });
    }
  }

  /** The members of a structure by their names on the wire. */
  membersOf([, , structure, , names, schemas, required = 0]: Structure, way: 'request' | 'answer'): Member[] {
    return names.map((member, i) => {
      const [schema, traits] = withTraits(schemas[i] as Schema);
      const name = way === 'request' ? this.requestName(member, traits) : (traits.xmlName ?? member);
      const declared = /^(\w+)/.exec(this.declared.get(`${structure}.${member}`) ?? '')?.[1] ?? '';
      const scalar = (type: string) => (this.enums.has(declared) ? declared : type);
      const isRequired = way === 'request' && i < required;
      if (typeof schema === 'number') return { name, type: scalar(scalarType(schema & 63)), isList: (schema & 64) !== 0, isRequired };
      if (!Array.isArray(schema)) throw new Error(`${structure}.${member}: an unknown schema`);
      if (schema[0] === 3) return { name, type: schema[2] as string, structure: schema as unknown as Structure, isList: false, isRequired };
      if (schema[0] !== 1) throw new Error(`${structure}.${member}: an unknown schema ${String(schema[0])}`);
      const [item, { xmlName: itemName }] = withTraits(schema[4] as Schema);
      if (way === 'answer' && this.isEc2 && itemName !== 'item') throw new Error(`${structure}.${member}: a list of <${itemName}>`);
      if (typeof item === 'number') return { name, type: scalar(scalarType(item)), isList: true, isRequired };
      if (!Array.isArray(item) || item[0] !== 3) throw new Error(`${structure}.${member}: a list of something unknown`);
      return { name, type: item[2] as string, structure: item as unknown as Structure, isList: true, isRequired };
    });
  }

  /** Source: @aws-sdk/core, `QueryShapeSerializer`. */
  private requestName(member: string, { xmlName, ec2QueryName }: Traits): string {
    if (!this.isEc2) return xmlName ?? member;
    if (ec2QueryName !== undefined) return ec2QueryName;
    const name = xmlName ?? member;
    return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
  }
}

interface Traits {
  readonly xmlName?: string;
  readonly ec2QueryName?: string;
}

/** A schema, and its traits where it is a pair of those. */
function withTraits(schema: Schema): [Schema, Traits] {
  if (!Array.isArray(schema) || schema.length !== 2) return [resolved(schema), {}];
  const [of, traits] = schema as [Schema, Traits | number];
  return [resolved(of), typeof traits === 'number' ? {} : traits];
}

/** The schema that a function gives; a plain type with a name, `[0, namespace, name, traits, type]`, is its type. */
function resolved(schema: Schema): Schema {
  if (typeof schema === 'function') return resolved(schema());
  return Array.isArray(schema) && schema[0] === 0 ? (schema[4] as number) : schema;
}

/** Source: @smithy/core/schema, `NormalizedSchema`. */
function scalarType(code: number): string {
  const type = { 0: 'string', 1: 'integer', 2: 'boolean', 4: 'timestamp', 5: 'timestamp', 21: 'string' }[code];
  if (type === undefined) throw new Error(`an unknown schema ${code}`);
  return type;
}

async function modelOf(client: string): Promise<Model> {
  const root = join('node_modules/@aws-sdk', client);
  const load = (file: string) => import(pathToFileURL(join(root, 'dist-es', file)).href) as Promise<Record<string, unknown>>;
  const types = join(root, 'dist-types/models');
  const declarations = readdirSync(types)
    .filter((name) => /^models_[0-9]+\.d\.ts$/.test(name))
    .map((name) => readFileSync(join(types, name), 'utf8').replace(/\/\*.*?\*\//gs, ''));
  const isEc2 = client === 'client-ec2';
  return new Model(isEc2, await load('schemas/schemas_0.js'), isEc2 ? await load('models/enums.js') : {}, declarations.join('\n'));
}
