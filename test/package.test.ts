import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from './support/folder.js';
import { repository } from './support/program.js';
import { suite } from './support/suite.js';

const environment = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };

suite('the package', (test) => {
  test('the packages that the owner has named are those it is made of', () => {
    const { dependencies, devDependencies } = manifestIn(repository);
    for (const name of ['ajv', 'commander', 'execa', 'handlebars', 'listr2', 'proper-lockfile', 'yaml']) assert.ok(dependencies?.[name], name);
    assert.ok(devDependencies?.['uvu']);
  });

  test('npm and Debian get one that is whole, small and needs no other package', () =>
    inFolder({}, async (folder) => {
      const before = readFileSync(join(repository, 'package.json'), 'utf8');
      for (const words of [['scripts/manual.ts'], ['scripts/package.ts', folder]])
        execFileSync('npx', ['tsx', ...words], { cwd: repository, env: { ...environment, TMPDIR: folder }, stdio: ['ignore', 'ignore', 'pipe'] });
      assert.is(readFileSync(join(repository, 'package.json'), 'utf8'), before);
      const [tarball = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
      const prefix = join(folder, 'prefix');
      execFileSync('npm', ['install', '--global', '--offline', '--prefix', prefix, join(folder, tarball)], { env: environment, stdio: 'pipe' });
      const home = join(prefix, 'lib/node_modules/chrootfile');
      assert.equal(readdirSync(join(prefix, 'lib/node_modules')), ['chrootfile']);
      assert.not.ok(existsSync(join(home, 'node_modules')));
      const { dependencies, devDependencies, scripts } = manifestIn(home);
      assert.equal([dependencies, devDependencies, scripts], [undefined, undefined, undefined]);
      const sizes = sizesIn(home);
      const bundles = ['main', 'program', 'sdk', 'sdk_credentials', 'sdk_metadata'].map((name) => `dist/${name}.js`);
      assert.ok(sum(bundles.map((file) => sizes.get(file) ?? Number.NaN)) <= 4e6, 'what run, check, plan and undo load has at most 4 MB');
      assert.ok(sum([...sizes.values()]) <= 25e6);
      assert.equal(
        [...sizes.keys()].filter((file) => file.endsWith('.cache')),
        [],
      );
      for (const file of ['LICENSE', 'README.md', 'docs/tutorial.md', 'dist/THIRD-PARTY-NOTICES', 'dist/chrootfile.1', 'dist/completions/chrootfile.bash'])
        assert.ok(sizes.has(file), file);
      assert.ok(existsSync(join(prefix, 'share/man/man1/chrootfile.1')));

      const state = join(folder, 'state');
      const recipe = join(folder, 'r.yml');
      writeFileSync(
        recipe,
        'version: 1\nincludes: {ami: {recipe: "chrootfile:image_from_image", with: {source_ami: ami-0123456789abcdef0, name: web}}}\ntasks: {}\n',
      );
      const check = () =>
        execFileSync(join(prefix, 'bin/chrootfile'), ['check', recipe], { env: { ...environment, CHROOTFILE_STATE: state }, encoding: 'utf8' });
      assert.match(check(), /ok, \d+ tasks/);
      assert.not.ok(existsSync(state), 'no STATE is created for a cache');
      mkdirSync(state);
      check();
      assert.equal(readdirSync(state), ['cache']);
      const version = (env: Readonly<Record<string, string>>) =>
        execFileSync(process.execPath, [join(home, 'dist/main.js'), '--version'], { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8', cwd: '/' });
      for (const CHROOTFILE_STATE of ['/dev/null/x', '/proc/none', 'relative']) assert.match(version({ CHROOTFILE_STATE }), /^\d+\.\d+\.\d+\n$/);
      const cached = () =>
        execFileSync('stat', ['-c', '%y', ...readdirSync(join(state, 'cache')).map((file) => join(state, 'cache', file))], { encoding: 'utf8' });
      const first = cached();
      check();
      assert.is(cached(), first, 'the caches of the first start are used by the second');
      assert.equal(sizesIn(home), sizes);

      const deb = readdirSync(folder).find((file) => file.endsWith('.deb')) ?? '';
      const control = execFileSync('dpkg-deb', ['--field', join(folder, deb)], { encoding: 'utf8' });
      assert.match(control, /^Depends: util-linux, mount, fdisk, e2fsprogs\nRecommends: mmdebstrap\n/m);
    }));

  test('the man page has every command and no error of roff', () => {
    const page = readFileSync(join(repository, 'dist/chrootfile.1'), 'utf8');
    const help = execFileSync(join(repository, 'bin/chrootfile'), ['--help'], { encoding: 'utf8' });
    const verbs = [...(help.split(/^Commands:\n/m)[1]?.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(([, verb = '']) => verb);
    assert.ok(verbs.length > 10);
    for (const verb of verbs.filter((each) => each !== 'help')) assert.match(page, `\n.SS chrootfile ${verb} `);
    const groff = spawnSync('groff', ['-ww', '-man', '-Tutf8', '-z', join(repository, 'dist/chrootfile.1')], { encoding: 'utf8' });
    if (groff.error === undefined) assert.is(groff.stderr, '');
  });

  test('the launcher takes the first Node that is new enough, or the one that CHROOTFILE_NODE names', () =>
    inFolder({}, async (folder) => {
      const nodes = { old: 'v18.20.4', almost: 'v20.18.1', new: 'v20.19.0', newer: 'v24.1.0' };
      for (const [name, version] of Object.entries(nodes)) {
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, 'node'), `#!/bin/sh\n[ "$1" != --version ] || { echo ${version}; exit; }\necho runs on ${name}\n`);
        chmodSync(join(folder, name, 'node'), 0o755);
      }
      const start = (folders: readonly string[], more: Readonly<Record<string, string>> = {}) => {
        const PATH = [...folders.map((name) => join(folder, name)), join(folder, 'tools')].join(':');
        const { status, stdout, stderr } = spawnSync('/bin/sh', [join(repository, 'bin/chrootfile'), 'check'], { env: { PATH, ...more }, encoding: 'utf8' });
        return { status, text: stdout + stderr };
      };
      assert.equal(start(['old', 'almost', 'new', 'newer']), { status: 0, text: 'runs on new\n' });
      assert.equal(start(['new'], { CHROOTFILE_NODE: join(folder, 'newer/node') }), { status: 0, text: 'runs on newer\n' });
      const ways = `  help: install one in PATH: apt install nodejs (Debian 13 or newer), or https://nodejs.org/en/download
  help: or name one: sudo CHROOTFILE_NODE=/opt/node/bin/node chrootfile run
`;
      assert.equal(start(['old', 'almost']), { status: 3, text: `error: chrootfile needs Node 20.19 or newer, and PATH has none\n${ways}` });
      const CHROOTFILE_NODE = join(folder, 'old/node');
      assert.equal(start(['new'], { CHROOTFILE_NODE }), {
        status: 3,
        text: `error: CHROOTFILE_NODE=${CHROOTFILE_NODE} is not Node 20.19 or newer\n${ways}`,
      });
    }));
});

function manifestIn(folder: string): Record<string, Record<string, string> | undefined> {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}

function sizesIn(folder: string): Map<string, number> {
  const listed = execFileSync('find', [folder, '-type', 'f', '-printf', '%s %P\\n'], { encoding: 'utf8' }).trim().split('\n');
  return new Map(listed.sort().map((line) => [line.replace(/^\d+ /, ''), Number.parseInt(line, 10)]));
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all + size, 0);
}
