import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { messagesOf } from '../src/dsl/diagnostics/schema_errors.js';
import { builtInLibraries } from '../src/dsl/recipe/built_in.js';
import { helperNames } from '../src/dsl/syntax/template_helpers.js';
import { fileSystemOn } from '../src/linux/block_devices.js';
import { hostShell } from '../src/linux/command.js';
import type { AnyKind, TaskContext } from '../src/runtime/engine/kind.js';
import { kinds } from '../src/tasks/index.js';
import { language } from '../src/tasks/language.js';
import { makeAjv, schema } from '../src/tasks/validators.js';
import { mutations } from './faults/mutations.js';
import { inFolder } from './support/folder.js';
import { repository, run } from './support/program.js';
import { suite } from './support/suite.js';

/** Which layers each layer may import. */
const layers: Record<string, readonly string[]> = {
  dsl: [],
  linux: [],
  local: ['linux'],
  aws: ['dsl', 'linux'],
  runtime: ['aws', 'dsl', 'linux'],
  tasks: ['aws', 'dsl', 'runtime', 'linux'],
  cli: ['aws', 'dsl', 'runtime', 'tasks', 'local', 'linux'],
};

const sources = readdirSync(join(repository, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

suite('the project', (test) => {
  test('imports go one way: cli, tasks, runtime, aws, linux; dsl imports nothing of ours, local only linux', () => {
    const wrong: string[] = [];
    for (const file of sources) {
      const from = file.split('/')[0] ?? '';
      for (const target of importsOf(file)) {
        const to = target.split('/')[0] ?? '';
        if (to !== from && !layers[from]?.includes(to)) wrong.push(`${file} imports ${target}`);
      }
    }
    assert.equal(wrong, []);
    assert.ok(sources.length > 50);
  });

  test('no import goes round in a circle, not even of types', () => {
    const graph = new Map(sources.map((file) => [file, importsOf(file)] as const));
    const reached = new Map(sources.map((file) => [file, reachedFrom(file, graph)] as const));
    const circles = sources.filter((file) => reached.get(file)?.has(file)).map((file) => sources.filter((other) => isBothWays(file, other, reached)).join(' '));
    assert.equal([...new Set(circles)], []);
    assert.ok(reached.get('cli/main.ts')?.has('dsl/plan/plan.ts'), 'imports that are made later count too');
  });

  test('mutations of the harness change what the sources have', () => {
    const stale = mutations.flatMap(({ name, file, changes }) => {
      const text = readFileSync(join(repository, file), 'utf8');
      return changes.filter(([find]) => text.split(find).length !== 2).map(([find]) => `${name}: ${find}`);
    });
    assert.equal(stale, []);
  });

  test('schemas/recipe.schema.json is what the kinds say (npm run generate)', () => {
    assert.equal(JSON.parse(readFileSync(join(repository, 'schemas/recipe.schema.json'), 'utf8')), JSON.parse(JSON.stringify(schema)));
  });

  test('every key of the schema has hover text with an example', () => {
    const missing: string[] = [];
    const visit = (node: Record<string, unknown>, path: string) => {
      for (const [name, child] of Object.entries((node['properties'] as Record<string, Record<string, unknown>>) ?? {})) {
        if (typeof child['markdownDescription'] !== 'string') missing.push(`${path}.${name}`);
        visit(child, `${path}.${name}`);
        const more = child['additionalProperties'] ?? child['items'];
        if (typeof more === 'object' && more !== null) visit(more as Record<string, unknown>, `${path}.${name}.*`);
      }
    };
    visit(schema, '');
    for (const [name, definition] of Object.entries(schema['$defs'] as Record<string, Record<string, unknown>>)) visit(definition, name);
    assert.equal(missing, []);
  });

  for (const kind of kinds) {
    test(`${kind.name}: its example is valid, its parameters and outputs are described`, () => {
      const values = JSON.parse(
        JSON.stringify(kind.example).replace(
          /\{\{ (\w+)\.[\w.]+ \}\}/g,
          (_, task: string) =>
            ({
              volume: 'vol-0123',
              snapshot: 'snap-0123',
              disk: '/dev/loop0',
              parts: '/dev/loop0p1',
              rootfs: '/dev/loop0p2',
              root: '/mnt',
              run: '1',
              image: 'ami-0123',
              source: 'ami-0123',
            })[task] ?? 'x',
        ),
      ) as Record<string, unknown>;
      assert.equal(messagesOf(language.validateParams(kind.name, values)), []);
      for (const [name, property] of [...Object.entries(kind.params.properties), ...Object.entries(kind.outputs.properties)]) {
        assert.ok((property as { description?: string }).description, `${kind.name}.${name}`);
      }
      assert.ok(kind.lifetime === 'resource' || kind.undoes !== undefined || kind.undo === undefined);
      assert.is(kind.undo === undefined, kind.undoes === undefined, 'what is undone is told in the plan');
    });
  }

  test('every shipped recipe is free of faults and begins with the editor line', () =>
    inFolder({}, async (folder) => {
      const files = readdirSync(join(repository, 'recipes'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yml'));
      assert.ok(files.length > 0);
      for (const file of files) {
        const path = join(repository, 'recipes', file);
        assert.match(readFileSync(path, 'utf8'), /^# yaml-language-server: \$schema=(\.\.\/)+schemas\/recipe\.schema\.json\n/);
        const checked = await run(['check', path], { folder });
        assert.is(checked.code, 0, checked.stderr);
      }
    }));

  test('the built-in libraries are the files of recipes/lib, and a recipe anywhere includes them by name', () =>
    inFolder({}, async (folder) => {
      const names = readdirSync(join(repository, 'recipes/lib')).map((file) => file.replace(/\.yml$/, ''));
      assert.equal(Object.keys(builtInLibraries), names.sort());
      const chroot = 'chroot: "{{ other.chroot.path }}"';
      const recipe = `version: 1
includes:
  ami: {recipe: "chrootfile:amazon_chroot", with: {source_ami_filter: {name: "base-*"}, ami_name: web}}
  other: {recipe: "chrootfile:image_from_image", with: {source_ami: ami-0123456789abcdef0, name: other}}
  cleanup: {recipe: "chrootfile:cleanup", with: {${chroot}}}
  play: {recipe: "chrootfile:ansible", with: {${chroot}, playbook: site.yml}}
tasks:
  a: {in: ami.chroot, run: "true"}
outputs: {image: "{{ ami.image_id }}"}
`;
      writeFileSync(join(folder, 'r.yml'), recipe);
      writeFileSync(join(folder, 'site.yml'), '[]\n');
      const checked = await run(['check', 'r.yml'], { folder });
      assert.is(checked.code, 0, checked.stderr);
      assert.equal(
        (schema as unknown as { properties: { includes: { additionalProperties: { properties: { recipe: { examples: string[] } } } } } }).properties.includes
          .additionalProperties.properties.recipe.examples,
        names.map((name) => `chrootfile:${name}`),
      );
    }));

  test('every yaml block of README.md and docs/ is a recipe without faults', () =>
    inFolder({}, async (folder) => {
      const { symlinkSync, writeFileSync } = await import('node:fs');
      const pages = [
        'README.md',
        ...readdirSync(join(repository, 'docs'))
          .filter((file) => file.endsWith('.md'))
          .map((file) => join('docs', file)),
      ];
      let blocks = 0;
      // Where a reader of them is.
      symlinkSync(join(repository, 'recipes'), join(folder, 'recipes'));
      for (const page of pages) {
        for (const [, block = ''] of readFileSync(join(repository, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)) {
          blocks += 1;
          writeFileSync(join(folder, 'block.yml'), block);
          const checked = await run(['check', 'block.yml'], { folder });
          assert.is(checked.code, 0, `${page}: ${checked.stderr}`);
        }
      }
      assert.ok(blocks > 0);
    }));

  test('what is published has the licenses of what is in its bundles', () => {
    const packed = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
        cwd: repository,
        encoding: 'utf8',
        stdio: 'pipe',
        // Newer versions of npm would keep what they compiled in the temporary folder.
        env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
      }),
    ) as {
      files: { path: string }[];
    }[];
    assert.ok(packed[0]?.files.some(({ path }) => path === 'dist/THIRD-PARTY-NOTICES'));
    const notices = readFileSync(join(repository, 'dist/THIRD-PARTY-NOTICES'), 'utf8');
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as Record<string, Record<string, string>>;
    for (const [name, version] of Object.entries({ ...dependencies })) assert.match(notices, `\n${name} ${version} (`);
    for (const [name, version] of Object.entries({ ...devDependencies })) assert.not.match(notices, `\n${name} ${version} (`);
    const blocks = notices.split('-'.repeat(80));
    assert.ok(blocks.length > 20 && blocks.every((block) => /permi|licens/i.test(block) && block.length > 500), 'each has its text');
  });

  test('what is printed goes out whole, to a reader that starts late', () => {
    const late = ['-c', `"$1" schema | (sleep 0.5; wc -c)`, 'sh', join(repository, 'bin/chrootfile')];
    const all = execFileSync(join(repository, 'bin/chrootfile'), ['schema']).length;
    assert.ok(all > 65_536);
    assert.is(Number(execFileSync('sh', late, { encoding: 'utf8' })), all);
  });

  test('what V8 kept of the program is not used where it is damaged or of another one', () =>
    inFolder({}, async (folder) => {
      const { cpSync, readFileSync: read, writeFileSync } = await import('node:fs');
      for (const name of ['bin', 'dist']) cpSync(join(repository, name), join(folder, name), { recursive: true });
      const version = () => execFileSync(join(folder, 'bin/chrootfile'), ['--version'], { encoding: 'utf8' }).trim();
      const before = version();
      const cache = join(folder, 'dist/program.js.cache');
      writeFileSync(cache, read(cache).fill(0xa5, 100_000, 200_000));
      assert.is(version(), before);
      cpSync(join(repository, 'dist/program.js.cache'), cache);
      // A text of the same length: V8 itself does not see that.
      const program = join(folder, 'dist/program.js');
      writeFileSync(program, read(program, 'latin1').replaceAll(`"${before}"`, `"${before.replace(/./g, '9')}"`), 'latin1');
      assert.is(version(), before.replace(/./g, '9'));
    }));

  test('every command of README.md is one that this version has', () => {
    const readme = readFileSync(join(repository, 'README.md'), 'utf8');
    const verbs = [...readme.matchAll(/chrootfile ([a-z]+)/g)].map(([, verb = '']) => verb);
    const help = execFileSync(join(repository, 'bin/chrootfile'), ['--help'], { encoding: 'utf8' });
    for (const verb of new Set(verbs)) assert.match(help, new RegExp(`^ {2}${verb}\\b`, 'm'), verb);
  });

  test('docs/language.md explains every helper of templates', () => {
    const page = readFileSync(join(repository, 'docs/language.md'), 'utf8');
    const explained = page.split('\n').flatMap((row) => (row.startsWith('| `{{ ') ? [...row.matchAll(/`\{\{ (\w+) [^`]*`/g)].map(([, name]) => name) : []));
    assert.equal(explained.sort(), [...helperNames].sort());
  });

  test('the kind of CONTRIBUTING.md works as it stands there', () =>
    inFolder({}, async (folder) => {
      const [, text = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(repository, 'CONTRIBUTING.md'), 'utf8')) ?? [];
      writeFileSync(join(folder, 'swap.ts'), text.replaceAll("'../../", `'${repository}/src/`));
      const { swap } = (await import(join(folder, 'swap.ts'))) as { swap: AnyKind };
      const isValid = makeAjv({ forParams: true, source: false }).compile(swap.params);
      assert.ok(isValid({ device: '/dev/loop0', label: 'x' }) && !isValid({ device: 'x' }));
      const device = join(folder, 'disk');
      writeFileSync(device, Buffer.alloc(2 ** 20));
      const context = { shell: hostShell, signal: new AbortController().signal } as TaskContext;
      for (const _ of ['once', 'twice']) assert.equal(await swap.run({ device, label: 'x' }, context), { device });
      assert.is(await fileSystemOn(device, hostShell, context.signal), 'swap');
    }));
});

/** What a file imports of ours: values and types, at its head and later. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(repository, 'src', file), 'utf8');
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']*)'/g)].map(([, target = '']) => join(dirname(file), target).replace(/\.js$/, '.ts'));
}

/** What a file imports, and what that imports, and so on. */
function reachedFrom(file: string, graph: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (at: string) => {
    for (const target of graph.get(at) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      visit(target);
    }
  };
  visit(file);
  return reached;
}

function isBothWays(one: string, other: string, reached: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  return reached.get(one)?.has(other) === true && reached.get(other)?.has(one) === true;
}
