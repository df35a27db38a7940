import type { InputDeclaration, ValueType } from '../recipe/inputs.js';
import type { Module } from '../recipe/module.js';
import type { Task } from '../recipe/types.js';
import { isChrootPath } from '../resolve/chroot_reference.js';
import { lifetimeOf, outputsOf } from '../resolve/names.js';
import { templatePattern } from '../syntax/lexical.js';
import { isSimplePattern } from '../syntax/linear_pattern.js';
import { type Schema, templatable, word } from './parts.js';

/**
 * The schema of one recipe: the general one, with the names of this recipe: tasks in `needs`, `before`, `in` and `goals`,
 * inputs of its libraries in `with`, and outputs of its tasks as values.
 * @param general the schema of all recipes; it is not modified.
 */
export function schemaOfRecipe(general: Schema, module: Module): Schema {
  const schema = structuredClone(general) as unknown as GeneralSchema;
  const tasks = taskNames(module);
  const task = schema.$defs.task.properties;
  const names = (offered: readonly Offered[]) => ({
    type: 'string',
    enum: offered.map(({ name }) => name),
    markdownEnumDescriptions: offered.map(({ text }) => text),
  });
  task.needs.items = names(tasks);
  task.before.items = names(tasks.filter(({ name }) => !name.endsWith('.released')));
  schema.properties.goals.items = names(tasks.filter(({ name }) => !name.endsWith('.released')));
  const chroots = [...tasks.filter(({ chroot }) => chroot), ...[...module.children].flatMap(([name, child]) => chrootOutputs(name, child))];
  const given = module.parent === undefined ? [...module.recipe.inputs].filter(([, { type }]) => type === 'string' || type === 'path') : [];
  const places = names([...chroots, ...given.map(([name, { description = '' }]) => ({ name: `inputs.${name}`, text: description, chroot: true }))]);
  // An empty enum would forbid every name, without a useful message.
  if (places.enum.length > 0) Object.assign(task.in, places, { pattern: undefined });
  for (const [name, child] of module.children) {
    schema.properties.includes.properties ??= {};
    schema.properties.includes.properties[name] = includeSchema(schema.properties.includes.additionalProperties, child);
  }
  offerValues(schema, values(module));
  return JSON.parse(JSON.stringify(schema)) as Schema;
}

/** The outputs of a library that are paths of its chroots, such as `ami.chroot` of amazon_chroot. */
function chrootOutputs(namespace: string, module: Module): Offered[] {
  const outputs = [...module.recipe.outputs].filter(([, value]) => isChrootPath(value, module));
  return outputs.map(([name]) => ({ name: `${namespace}.${name}`, text: `The chroot of the library ${module.recipe.name}`, chroot: true }));
}

interface GeneralSchema {
  readonly properties: {
    readonly goals: { items: Schema };
    readonly includes: { properties?: Record<string, Schema>; readonly additionalProperties: Schema };
    readonly outputs: { additionalProperties?: Schema };
    readonly vars: { additionalProperties?: Schema };
    readonly [key: string]: unknown;
  };
  readonly $defs: {
    readonly task: {
      readonly properties: {
        readonly needs: { items: Schema };
        readonly before: { items: Schema };
        readonly in: Schema;
        readonly env: { additionalProperties: Schema };
      };
    };
    readonly [kind: string]: unknown;
  };
}

interface Offered {
  readonly name: string;
  readonly text: string;
  readonly chroot: boolean;
}

/** Every name that `needs` allows: tasks, their instances, releases of resources, public tasks of libraries. */
function taskNames(module: Module): Offered[] {
  const own = [...module.recipe.tasks.values()].flatMap((task) => namesOf(task, task.name, module));
  const others = [...module.children].flatMap(([namespace, child]) => {
    const open = [...child.recipe.tasks.values()].filter((task) => !task.internal);
    return [...open.flatMap((task) => namesOf(task, `${namespace}.${task.name}`, child)), ...nested(namespace, child)];
  });
  return [...own, ...others];
}

function nested(namespace: string, module: Module): Offered[] {
  return [...module.children].flatMap(([name, child]) => {
    const open = [...child.recipe.tasks.values()].filter((task) => !task.internal);
    return [...open.flatMap((task) => namesOf(task, `${namespace}.${name}.${task.name}`, child)), ...nested(`${namespace}.${name}`, child)];
  });
}

function namesOf(task: Task, name: string, module: Module): Offered[] {
  const kind = task.action.type === 'kind' ? task.action.kind.name : task.action.type;
  const text = `${kind}${task.description === undefined ? '' : `: ${task.description}`}`;
  const chroot = kind === 'chroot';
  const instances = (module.instances.get(task.name) ?? []).filter(({ unknown }) => !unknown).map(({ key }) => `${name}${key}`);
  return [name, ...instances].flatMap((each) => [
    { name: each, text, chroot },
    ...(lifetimeOf(task) === 'resource' ? [{ name: `${each}.released`, text: `The release of ${each}`, chroot: false }] : []),
  ]);
}

function includeSchema(general: Schema, { recipe }: Module): Schema {
  const inputs = [...recipe.inputs].map(([name, declared]) => [name, inputSchema(declared)] as const);
  const required = [...recipe.inputs].filter(([, declared]) => declared.required && declared.default === undefined).map(([name]) => name);
  const properties = general['properties'] as Schema;
  const values = { type: 'object', additionalProperties: false, properties: Object.fromEntries(inputs), ...(required.length > 0 ? { required } : {}) };
  return {
    ...general,
    ...(required.length > 0 ? { required: ['recipe', 'with'] } : {}),
    description: recipe.description ?? general['description'],
    properties: { ...properties, with: { ...(properties['with'] as Schema), ...values } },
  };
}

function inputSchema(declared: InputDeclaration): Schema {
  const { type, description = '', minimum, maximum } = declared;
  const pattern = declared.pattern !== undefined && isSimplePattern(declared.pattern) ? declared.pattern : undefined;
  const bounds = Object.fromEntries(Object.entries({ minimum, maximum, pattern, enum: declared.enum }).filter(([, value]) => value !== undefined));
  const schema = templatable({ type: jsonTypes[type], description, default: declared.default, ...bounds });
  // Null means "not set", which a required input cannot be.
  if (declared.required && declared.default === undefined) schema['type'] = [schema['type']].flat().filter((each) => each !== 'null');
  return word(description, type, schema);
}

/** A value that a template can give in this recipe, with its JSON type if it is known. */
interface OfferedValue {
  readonly path: string;
  readonly text: string;
  readonly type?: string | undefined;
}

const jsonTypes: Readonly<Record<ValueType, string>> = {
  string: 'string',
  path: 'string',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  list: 'array',
  map: 'object',
};

function values(module: Module): OfferedValue[] {
  const { recipe } = module;
  return [
    ...taskValues('', module, () => true),
    ...[...module.children].flatMap(([name, child]) => [
      ...[...child.recipe.outputs.keys()].map((output) => ({ path: `${name}.${output}`, text: `An output of the library ${name}` })),
      ...taskValues(`${name}.`, child, (task) => !task.internal),
    ]),
    ...[...recipe.inputs].map(([name, { description = '', type }]) => ({ path: `inputs.${name}`, text: description, type: jsonTypes[type] })),
    ...[...recipe.vars.keys()].map((name) => ({ path: `vars.${name}`, text: 'A variable of the recipe' })),
  ];
}

function taskValues(namespace: string, module: Module, open: (task: Task) => boolean): OfferedValue[] {
  return [...module.recipe.tasks.values()].filter(open).flatMap((task) => {
    const { action, name } = task;
    return outputsOf(task).map((output) => {
      const schema = action.type === 'kind' ? (action.kind.outputs.properties[output] as { description?: string; type?: string }) : undefined;
      const declared = action.type === 'run' ? action.outputs.get(output) : undefined;
      const type = task.strategy !== undefined ? 'array' : declared === undefined ? schema?.type : jsonTypes[declared.type];
      return { path: `${namespace}${name}.${output}`, text: schema?.description ?? `An output of ${name}`, type };
    });
  });
}

/** Adds snippets with matching values wherever a template is allowed. */
function offerValues(schema: GeneralSchema, offered: readonly OfferedValue[]): void {
  const offer = (target: Schema) => {
    // A schema that allows text only as a template expects another type.
    const types = [target['type']].flat().filter((type) => type !== 'string' || target['pattern'] !== templatePattern);
    const fitting = offered.filter(
      ({ type }) => type === undefined || types.includes(undefined) || types.includes(type) || (type === 'integer' && types.includes('number')),
    );
    // The caret makes editors insert the body unchanged, with its quotes.
    const snippets = fitting.map(({ path, text }) => ({ label: `{{ ${path} }}`, description: text, body: `^"{{ ${path} }}"` }));
    target['defaultSnippets'] = [...((target['defaultSnippets'] as unknown[] | undefined) ?? []), ...snippets];
  };
  for (const [name, definition] of Object.entries(schema.$defs)) {
    if (name === 'task') continue;
    for (const property of Object.values((definition as { properties?: Record<string, Schema> }).properties ?? {})) offer(property);
  }
  for (const include of Object.values(schema.properties.includes.properties ?? {})) {
    const inputs = ((include['properties'] as Schema)['with'] as Schema)['properties'] as Record<string, Schema> | undefined;
    for (const input of Object.values(inputs ?? {})) offer(input);
  }
  schema.properties.outputs.additionalProperties = {};
  offer(schema.properties.outputs.additionalProperties);
  offer(schema.$defs.task.properties.env.additionalProperties);
}
