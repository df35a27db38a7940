import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { kinds } from '../../src/tasks/index.js';
import { schema } from '../../src/tasks/validators.js';
import { repository } from '../support/program.js';
import { random } from '../support/random.js';

/** Recipes that are changed: those that are shipped, those of the tests, good and bad. */
const originals = ['recipes', 'test/fixtures', 'test/dsl/bad'].flatMap((folder) =>
  readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yml'))
    .sort()
    .map((file) => readFileSync(join(repository, folder, file), 'utf8')),
);

/** The keys of the language, by the schema, and names that objects of JavaScript have. */
const keys = [...keysIn(schema), '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'length', '', ' ', 'a b', '0', 'null', 'A'.repeat(2000)];

const names = [
  'a',
  'root',
  'sys',
  'volume',
  'ami.chroot',
  'ami.image',
  'root.released',
  'build[arch=amd64]',
  'inputs.size',
  'a.b.c.d',
  'toString',
  '__proto__',
];

const templates = [
  ...[
    '{{ inputs.size }}',
    '{{ vars.a }}',
    '{{ env.HOME }}',
    '{{ run.id }}',
    '{{ matrix.arch }}',
    '{{ a.x }}',
    '{{ root.path }}',
    '{{',
    '}}',
    '{{}}',
    '{{{ x }}}',
  ],
  ...['{{ inputs.toString }}', '{{ vars.__proto__ }}', '{{ constructor.constructor }}', '{{ run.constructor }}', '{{ env.__proto__ }}', '{{ inputs.[a b] }}'],
  ...[
    '{{#if run.id}}x{{else}}y{{/if}}',
    '{{#if}}',
    '{{/if}}',
    '{{else}}',
    '{{#each a}}{{/each}}',
    '{{> x}}',
    '{{! c }}',
    '\\{{ x }}',
    '${{ x }}',
    '{{ a | b }}',
    '{{ a == b }}',
  ],
  ...[
    '{{ json inputs }}',
    '{{ merge vars.a vars.b }}',
    '{{ join vars.a "," }}',
    '{{ default env.NO "x" }}',
    '{{ quote vars.a }}',
    '{{ not (not (not true)) }}',
    '{{ eq 1 "1" }}',
  ],
  ...[
    '{{ vars.v }}{{ vars.v }}',
    '{{ toString }}',
    '{{ lookup a b }}',
    '{{ undefined }}',
    '{{ null }}',
    '{{ true }}',
    '{{ @root }}',
    '{{ ../x }}',
    '{{ this }}',
    '{{~ run.id ~}}',
  ],
];

const numbers = [0, -0, 1, -1, 0.1, 1e9, 1e21, 2 ** 53, -(2 ** 63), 1e308, Number.NaN, Number.POSITIVE_INFINITY];

const texts = [
  ...[
    '',
    ' ',
    '\n',
    '\t',
    '\u0000',
    '\ufeff',
    '\u202e',
    '\ud800',
    '\u{1f600}',
    'é\u0301',
    '\u2028',
    '\u001b[2J',
    'a\r\nb',
    '~',
    'null',
    'yes',
    '0755',
    '1.10',
    '0x1F',
    '5m',
    '5 m',
    '999999999h',
  ],
  ...[
    '/etc/passwd',
    '../..',
    '/dev/zero',
    '/',
    'npm:a/b.yml',
    'npm:../x.yml',
    'https://x/y.yml',
    'lib/amazon_chroot.yml',
    'chrootfile:amazon_chroot',
    'vol-0',
    'ami-1',
    '^(a+)+$',
    '(',
    '[',
    '$',
    '%',
    '"',
    "'",
    '`',
  ],
];

/** Stand in a tree for what only text can be: anchors, aliases, tags, merge keys, other styles. */
const raw: Readonly<Record<string, string>> = Object.fromEntries(
  [
    '&x [a, *x]',
    '&x {a: 1}',
    '*x',
    '*nope',
    '!!binary aGk=',
    '!!set {a}',
    '!own x',
    '!!js/function "x"',
    '{<<: *x}',
    '{<<: {a: 1}}',
    '{? [a] : b}',
    '{? {a: b} : c}',
  ]
    .concat([
      '{a: 1, a: 2}',
      '{{ inputs.size }}',
      '[[[[',
      '}',
      '? x',
      '- x',
      '|\n  x',
      '"\\u12"',
      '"\\ud83d"',
      '2001-12-14',
      '.inf',
      '.nan',
      '-.INF',
      '0o17',
      '0b1',
      '1_000',
      '@x',
      '`x',
    ])
    .concat([
      `${'['.repeat(90)}${']'.repeat(90)}`,
      `${'['.repeat(300)}${']'.repeat(300)}`,
      `${'{a: '.repeat(5000)}`,
      `"${'x'.repeat(50_000)}"`,
      `&y [*x, *x, *x]`,
      '--- ',
      '%YAML 1.1',
    ])
    .map((text, i) => [`RAW${i}RAW`, text]),
);

/** A recipe that was changed at random: its tree, then perhaps its text. The same for the same seed. */
export function mutatedRecipe(seed: number): string {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const value = (depth = 0): unknown => {
    const how = next();
    if (how < 0.15) return pick(texts);
    if (how < 0.25) return pick(numbers);
    if (how < 0.3) return pick([null, true, false]);
    if (how < 0.45) return pick(templates);
    if (how < 0.6) return pick(Object.keys(raw));
    if (how < 0.7) return pick(names);
    if (how < 0.75) return pick(kinds).name;
    if (how < 0.8) return pick(templates).repeat(1 + Math.floor(next() * 300));
    if (depth > 3) return {};
    const many = Math.floor(next() * 4);
    return how < 0.9 ? Array.from({ length: many }, () => value(depth + 1)) : mapOf(Array.from({ length: many }, () => [pick(keys), value(depth + 1)]));
  };
  let tree: unknown;
  let text = pick(originals);
  try {
    tree = parse(text, { logLevel: 'silent', uniqueKeys: false });
  } catch {
    // A bad one: its text is changed only.
  }
  const many = Math.floor(next() * 5);
  for (let i = 0; i < many && typeof tree === 'object' && tree !== null; i += 1) change(tree, { next, pick, value });
  if (many > 0 && typeof tree === 'object') text = withRaw(stringify(tree, { lineWidth: 0 }));
  for (let i = Math.floor(next() * 6) - 3; i > 0; i -= 1) text = changeText(text, { next, pick });
  return text;
}

interface Chance {
  next(): number;
  pick<T>(list: readonly T[]): T;
}

/** Changes one place of a tree: another value, another key, one more, one less, one twice. */
function change(tree: object, { next, pick, value }: Chance & { value(): unknown }): void {
  const at = pick(containersIn(tree)) as Record<string, unknown>;
  const name = pick(Object.keys(at));
  const how = next();
  if (name === undefined || how < 0.25) {
    if (Array.isArray(at)) at.push(value());
    else set(at, pick(keys), value());
  } else if (how < 0.65) set(at, name, value());
  else if (how < 0.75) Array.isArray(at) ? at.splice(Number(name), 1) : delete at[name];
  else if (Array.isArray(at)) at.push(at[Number(name)]);
  else if (how < 0.85) set(at, pick(keys), at[name]);
  else {
    set(at, next() < 0.5 ? pick(keys) : name.slice(0, -1), at[name]);
    delete at[name];
  }
}

/** Every map and list; a recipe may have one in itself. */
function containersIn(tree: unknown, found = new Set<object>()): object[] {
  if (typeof tree !== 'object' || tree === null || found.has(tree)) return [...found];
  found.add(tree);
  for (const inner of Object.values(tree)) containersIn(inner, found);
  return [...found];
}

/** As a plain key: assigning to `__proto__` would set the prototype. */
function set(map: object, name: string, value: unknown): void {
  Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
}

function mapOf(entries: readonly (readonly [string, unknown])[]): object {
  const map = {};
  for (const [name, value] of entries) set(map, name, value);
  return map;
}

function withRaw(text: string): string {
  return text.replace(/RAW\d+RAW/g, (name) => raw[name] ?? name);
}

/** Changes a text as a slip of the hand, an editor or a transfer does. */
function changeText(text: string, { next, pick }: Chance): string {
  const lines = text.split('\n');
  const at = Math.floor(next() * lines.length);
  const line = lines[at] ?? '';
  const spot = Math.floor(next() * text.length);
  switch (Math.floor(next() * 9)) {
    case 0:
      return lines.toSpliced(at, 1).join('\n');
    case 1:
      return lines.toSpliced(at, 0, line).join('\n');
    case 2:
      return lines.toSpliced(at, 1, pick([` ${line}`, line.slice(1), `\t${line}`, `${line} #`, `${line}: x`, `- ${line}`])).join('\n');
    case 3:
      return text.slice(0, spot);
    case 4:
      return text.replaceAll('\n', pick(['\r\n', '\r', '\n\n']));
    case 5:
      return pick(['\ufeff', '%YAML 1.1\n---\n', '---\n', '...\n', '# c\n']) + text;
    case 6:
      return `${text}\n---\n${text}`;
    case 7:
      return text.slice(0, spot) + text.slice(spot + 1 + Math.floor(next() * 20));
    default:
      return text.slice(0, spot) + pick([...texts, ...templates, ...Object.values(raw)]) + text.slice(spot);
  }
}

function keysIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties } = node as { properties?: object };
  return [...new Set([...Object.keys(properties ?? {}), ...Object.values(node).flatMap(keysIn)])];
}
