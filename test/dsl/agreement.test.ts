import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import { RecipeError } from '../../src/dsl/diagnostics/diagnostic.js';
import { makePlan } from '../../src/dsl/plan/plan.js';
import { loadModule } from '../../src/dsl/recipe/module.js';
import { linkModule } from '../../src/dsl/resolve/link.js';
import { schemaOfRecipe } from '../../src/dsl/schema/for_recipe.js';
import { editorKeywords } from '../../src/dsl/schema/recipe.js';
import { language } from '../../src/tasks/language.js';
import { library, recipe } from '../editor/places.js';
import { linkedText } from '../support/plan.js';
import { repository } from '../support/program.js';
import { random } from '../support/random.js';
import { suite } from '../support/suite.js';

type Tree = Record<string, unknown> | unknown[];

/** A good recipe with every key of the language. */
const good = `${recipe}
  all_keys:
    description: Every key of a shell task
    needs: [volume, "build[arch=amd64]", ami.image]
    before: [snapshot]
    if: "{{ eq inputs.release 'bookworm' }}"
    in: sys
    env: {A: b, N: 5}
    dir: /srv
    shell: [/bin/sh, -e]
    timeout: 5m
    retries: {limit: 2, delay: 10s, backoff: 2}
    continue_on_error: true
    preconditions: [{sh: "true", message: no}]
    sources: [a.txt]
    generates: [b.txt]
    status: ["true"]
    locks: [one]
    outputs: {x: {type: integer, description: A number}}
    internal: true
    interactive: true
    template: false
    strategy: {matrix: {os: [a, b], exclude: [{os: b}], include: [{os: c, extra: [1]}]}, max_parallel: 2}
    run: "true"
  undone: {run: "true", undo: {run: "true", when: always}}
  group: {needs: [undone]}
  gone: {needs: [undone.released]}
  parts: {uses: disk.partition, with: {device: /dev/x, partitions: [{name: boot, size: 1MiB, type: bios}, {name: root}]}}
defaults: {shell: [/bin/sh], timeout: 1h, retries: 1}
env: {LANG: C}
goals: [snapshot, group]
outputs: {image: "{{ ami.image_id }}"}
cloud: {provider: local}
description: A recipe
name: all
`;

const values = [
  null,
  true,
  7,
  -1,
  0.5,
  '',
  'text',
  '{{ inputs.size }}',
  '{{',
  [],
  ['x'],
  ['volume'],
  [[]],
  {},
  { a: 1 },
  '5m',
  '5 m',
  '0755',
  'volume',
  'volume.released',
  'mount',
  'ec2.volume',
  'a,b',
  1e9,
];
const keys = [
  'run',
  'uses',
  'with',
  'needs',
  'in',
  'deps',
  'when',
  'type',
  'size',
  'a',
  'B',
  'file',
  'required',
  'matrix',
  'sh',
  'undo',
  '__proto__x',
  'outputs',
];

/** Every map and list of a tree. */
function containers(tree: unknown): Tree[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return [tree as Tree, ...Object.values(tree).flatMap(containers)];
}

function mutate(tree: Tree, next: () => number): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const at = pick(containers(tree));
  const names = Object.keys(at);
  const name = pick(names);
  const map = at as Record<string, unknown>;
  const how = next();
  if (name === undefined || how < 0.15) {
    if (Array.isArray(at)) at.push(structuredClone(pick(values)));
    else map[pick(keys)] = structuredClone(pick(values));
  } else if (how < 0.55) map[name] = structuredClone(pick(values));
  else if (how < 0.75) Array.isArray(at) ? at.splice(Number(name), 1) : delete map[name];
  else if (Array.isArray(at)) at.push(structuredClone(at[Number(name)]));
  else {
    // A typo, or another key's place.
    const other = next() < 0.5 ? pick(keys) : name.slice(0, -1) + (name.at(-1) === 's' ? '' : 's');
    if (other === '') return;
    map[other] = map[name];
    delete map[name];
  }
}

function ajvOf(schema: object) {
  const ajv = new Ajv2020({ allErrors: false, strict: false });
  for (const keyword of editorKeywords) ajv.addKeyword({ keyword, valid: true });
  return ajv.compile(schema);
}

const libraries = {
  read: (path: string) => {
    if (path !== '/lib.yml') throw Object.assign(new Error('none'), { code: 'ENOENT' });
    return library;
  },
  builtIn: '/built-in',
  resolvePackage: () => {
    throw new Error('no packages here');
  },
  show: (path: string) => path,
};

/** What the checker says of a text, each as `code: message`. */
function said(text: string): string[] {
  try {
    const { module, diagnostics } = loadModule('/r.yml', language, { ...libraries, read: (path) => (path === '/r.yml' ? text : libraries.read(path)) });
    const inputs = new Map([...module.recipe.inputs].map(([name, input]) => [name, input.default]));
    makePlan(module, linkModule(module, diagnostics, { inputs, environment: () => undefined }), []);
    return [];
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    return error.diagnostics.map(({ code, message }) => `${code}: ${message}`);
  }
}

/** What only the schema says. The rest of these words is said of what no schema can tell. */
const ofTheSchema = /^(unknown-key|type|unknown-kind|duration|version|mode): |^(enum|range|pattern|missing-key|exclusive): /;
const beyondTheSchema = /must have a value$|a duration is at most 24 days$|is not a regular expression$|requires "run" or "uses"$/;

suite('the schema and the checker', (test) => {
  test('agree on the chroot of a library that gives its path as an output', () => {
    const include = 'includes: {ami: {recipe: lib.yml}}';
    const { module } = linkedText({
      'r.yml': `${include}\ntasks: {a: {in: ami.chroot, run: "true"}}\n`,
      'lib.yml': 'tasks: {sys: {uses: chroot, with: {root: /srv}}}\noutputs: {chroot: "{{ sys.path }}", root: "/srv"}\n',
    });
    const general = JSON.parse(readFileSync(join(repository, 'schemas/recipe.schema.json'), 'utf8')) as Record<string, unknown>;
    const validate = ajvOf(schemaOfRecipe(general, module));
    const recipeWith = (task: string) => ({ version: 1, ...parse(include), tasks: { a: { in: task, run: 'true' } } });
    assert.equal([validate(recipeWith('ami.chroot')), validate(recipeWith('ami.chrot'))], [true, false]);
  });

  test('never disagree, over 1,500 recipes that were changed at random', () => {
    const schema = ajvOf(JSON.parse(readFileSync(join(repository, 'schemas/recipe.schema.json'), 'utf8')) as object);
    assert.ok(schema(parse(good)), JSON.stringify(schema.errors));
    assert.equal(said(good), []);
    const counts = { bothWell: 0, bothWrong: 0, onlyNames: 0 };
    for (let seed = 1; seed <= 1500; seed += 1) {
      const next = random(seed);
      const tree = parse(good) as Tree;
      for (let i = 0; i <= seed % 3; i += 1) mutate(tree, next);
      const text = stringify(tree, { aliasDuplicateObjects: false });
      const valid = schema(parse(text));
      let faults: string[];
      try {
        faults = said(text);
      } catch (error) {
        throw new Error(`seed ${seed}: the checker broke: ${(error as Error).stack}\n${text}`);
      }
      if (!valid && faults.length === 0) throw new Error(`seed ${seed}: only the schema says: ${JSON.stringify(schema.errors)}\n${text}`);
      const structural = faults.filter((fault) => ofTheSchema.test(fault) && !beyondTheSchema.test(fault));
      if (valid && structural.length > 0) throw new Error(`seed ${seed}: only the checker says: ${structural.join('; ')}\n${text}`);
      counts[!valid ? 'bothWrong' : faults.length > 0 ? 'onlyNames' : 'bothWell'] += 1;
    }
    // It was no empty agreement.
    for (const [what, count] of Object.entries(counts)) assert.ok(count > 50, `${what}: ${count}`);
  }, 120_000);

  test('of one recipe never disagree about names: tasks in needs, before, in and goals, inputs of a library', () => {
    const { module } = linkedText({ 'r.yml': good.replace('version: 1\n', ''), 'lib.yml': library.replace('version: 1\n', '') });
    const general = JSON.parse(readFileSync(join(repository, 'schemas/recipe.schema.json'), 'utf8')) as Record<string, unknown>;
    const schema = ajvOf(schemaOfRecipe(general, module));
    assert.ok(schema(parse(good)), JSON.stringify(schema.errors));
    const names = [
      ...module.recipe.tasks.keys(),
      ...[
        'volume.released',
        'sys.released',
        'packages.released',
        'ami.sys',
        'ami.image',
        'ami.hidden',
        'ami.image.released',
        'ami',
        'build[arch=amd64]',
        'build[arch=x86]',
      ],
      ...['packages[arch=amd64]', 'volum', 'inputs.release', 'inputs.size', 'inputs.nope', 'nope.nope', 'vars.label', 'released', 'all_keys[os=c]'],
    ];
    const inputs: Record<string, unknown>[] = [
      { name: 'x' },
      {},
      { name: 'x', flavor: 'full' },
      { name: 'x', flavor: 'no' },
      { name: 5 },
      { name: 'x', minimal: true },
      { name: 'x', minimal: 'often' },
      { name: 'x', minimal: '{{ eq inputs.release "x" }}' },
      { nmae: 'x', name: 'y' },
      { name: null },
      { name: 'x', chroot: null },
    ];
    let agreed = 0;
    const compare = (what: string, change: (tree: Record<string, Record<string, unknown>>) => void) => {
      const tree = parse(good) as Record<string, Record<string, unknown>>;
      change(tree);
      const text = stringify(tree, { aliasDuplicateObjects: false });
      // A circle is no fault of a name.
      const faults = said(text).filter((fault) => !fault.startsWith('cycle: '));
      const valid = schema(parse(text));
      if (valid !== (faults.length === 0))
        throw new Error(`${what}: the schema says ${valid ? 'nothing' : JSON.stringify(schema.errors?.[0])}, the checker ${faults.join('; ') || 'nothing'}`);
      agreed += 1;
    };
    for (const name of names) {
      compare(`needs ${name}`, ({ tasks }) => Object.assign(tasks ?? {}, { probe: { needs: [name] } }));
      compare(`before ${name}`, ({ tasks }) => Object.assign(tasks ?? {}, { probe: { run: 'true', before: [name] } }));
      compare(`in ${name}`, ({ tasks }) => Object.assign(tasks ?? {}, { probe: { run: 'true', in: name } }));
      compare(`goals ${name}`, (tree) => Object.assign(tree, { goals: [name] }));
    }
    for (const given of inputs) compare(`with ${JSON.stringify(given)}`, ({ includes }) => Object.assign(includes?.['ami'] ?? {}, { with: given }));
    assert.is(agreed, names.length * 4 + inputs.length);
  }, 60_000);
});
