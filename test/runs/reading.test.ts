import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { withEditor } from '../support/editor.js';
import { inFolder } from '../support/folder.js';
import { program, repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = `version: 1
description: Two parts and a whole
inputs:
  flavor: {type: string, default: plain, enum: [plain, full], description: What is put on it}
  fast: {type: boolean, default: false}
includes: {lib: {recipe: lib.yml}}
tasks:
  part: {description: A part, strategy: {matrix: {n: [1, 2]}}, run: "true"}
  both: {needs: [part]}
  sys: {uses: chroot, with: {root: /srv}}
  whole: {needs: [both, lib.work], in: sys, run: "true"}
  hidden: {internal: true, run: "true"}
outputs: {x: "{{ sys.path }}"}
`;
const library =
  'version: 1\ndescription: A library\ntasks:\n  work: {description: Its "work", run: "true"}\n  own: {internal: true, run: "true"}\noutputs: {y: z}\n';

/** What bash offers for a line, by its own machinery. */
function bashOffers(line: string, folder: string): string[] {
  const script = `source <('${program}' completion bash)
COMP_LINE=$1 COMP_POINT=\${#1}; COMP_WORDS=(); compopt() { :; }
_chrootfile; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const done = spawnSync('bash', ['-c', script, 'bash', line], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${repository}/bin:${process.env['PATH']}`, CHROOTFILE_STATE: join(folder, 'state') },
  });
  assert.is(done.stderr, '');
  return done.stdout.split('\n').filter(Boolean);
}

suite('reading recipes', (test) => {
  test('graph draws the plan as text, for mermaid and for dot, without links that follow from others', () =>
    inFolder({ 'r.yml': recipe, 'lib.yml': library }, async (folder) => {
      assert.is(
        (await run(['graph', 'r.yml'], { folder })).stdout,
        `lib.work
part[n=1]
part[n=2]
both          <- part[n=1], part[n=2]
sys
whole         <- both, lib.work, sys
sys.released  <- whole
`,
      );
      const dot = (await run(['graph', 'r.yml', 'both', '--format', 'dot'], { folder })).stdout;
      assert.is(
        dot,
        `digraph recipe {
  node [shape=box];
  "part[n=1]" [label="part[n=1]"];
  "part[n=2]" [label="part[n=2]"];
  "both" [label="both"];
  "part[n=1]" -> "both";
  "part[n=2]" -> "both";
}
`,
      );
      assert.is(
        (await run(['graph', 'r.yml', '--format', 'mermaid'], { folder })).stdout,
        `flowchart TD
  subgraph library_lib["lib"]
    n0["lib.work"]
  end
  n1["part[n=1]"]
  n2["part[n=2]"]
  n3["both"]
  n4[["sys<br/>chroot"]]
  n5["whole"]
  n6(["sys.released"])
  n1 --> n3
  n2 --> n3
  n3 --> n5
  n0 --> n5
  n4 --> n5
  n5 --> n6
`,
      );
    }));

  test('list and check take a built-in library by its name', () =>
    inFolder({}, async (folder) => {
      const { stdout } = await run(['list', 'chrootfile:cleanup'], { folder });
      assert.match(stdout, /^Removes host keys[\s\S]*\nchroot +string +required/);
      assert.is((await run(['check', 'chrootfile:cleanup'], { folder })).stdout, 'chrootfile:cleanup: ok, 1 task\n');
      const { code, stderr } = await run(['list', 'chrootfile:clean'], { folder });
      assert.is(code, 2);
      assert.match(
        stderr,
        /^error: there is no built-in library "chrootfile:clean" \[command-line\]\n {2}help: the built-in libraries are chrootfile:amazon_chroot, /,
      );
    }));

  test('list groups tasks by library, with descriptions, and names groups, outputs and inputs', () =>
    inFolder({ 'r.yml': recipe, 'lib.yml': library }, async (folder) => {
      assert.is(
        (await run(['list', 'r.yml'], { folder })).stdout,
        `Two parts and a whole

TASK       DOES    DESCRIPTION
part[n=1]  run     A part
part[n=2]  run     A part
both       group   part
sys        chroot  
whole      run     

outputs: x

lib: A library
lib.work   run     Its "work"

outputs: lib.y

INPUT   TYPE     DEFAULT  DESCRIPTION
flavor  string   "plain"  What is put on it
fast    boolean  false    
`,
      );
      const json = JSON.parse((await run(['list', 'r.yml', '--json'], { folder })).stdout) as { libraries: unknown[] };
      assert.equal(json.libraries, [{ name: 'lib', recipe: 'lib.yml', description: 'A library', outputs: ['y'] }]);
    }));

  test('kinds NAME is a manual page: every parameter with type, default and meaning, outputs, undo, programs, example', () =>
    inFolder({}, async (folder) => {
      const page = (await run(['kinds', 'chroot.upload'], { folder })).stdout;
      assert.equal(
        [...page.matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) => title),
        ['NAME', 'DESCRIPTION', 'WITH', 'OUTPUTS', 'IN', 'UNDO', 'PROGRAMS OF THE HOST', 'EXAMPLE'],
      );
      assert.match(page, '    from  string; required\n        File or folder of the host, relative to the recipe\n');
      assert.ok(page.split('\n').every((line) => line.length <= 100));
      const volume = (await run(['kinds', 'ec2.volume'], { folder })).stdout;
      assert.match(volume, /UNDO\n {4}As soon as no remaining task uses it, whether the run succeeds or fails: delete the volume\.\n/);
    }));

  test('init makes a recipe that is free of faults and runs as it is, for editors too; what is there stays', () =>
    inFolder({ 'new/.vscode/settings.json': '{"mine": true}\n' }, async (folder) => {
      const made = await run(['init', 'new'], { folder });
      assert.is(made.code, 0, made.stderr);
      const here = join(folder, 'new');
      assert.equal(readdirSync(here, { recursive: true, encoding: 'utf8' }).sort(), [
        ...['.chrootfile', '.chrootfile/chrootfile.schema.json', '.chrootfile/recipe.schema.json'],
        ...['.vscode', '.vscode/extensions.json', '.vscode/settings.json', 'chrootfile.yml'],
      ]);
      assert.is(readFileSync(join(here, '.vscode/settings.json'), 'utf8'), '{"mine": true}\n');
      assert.match(made.stdout, 'kept new/.vscode/settings.json; consider adding: {"yaml.schemas":');
      assert.equal(JSON.parse(readFileSync(join(here, '.vscode/extensions.json'), 'utf8')), { recommendations: ['redhat.vscode-yaml'] });
      await withEditor(here, async (editor) => {
        const text = readFileSync(join(here, 'chrootfile.yml'), 'utf8');
        assert.equal(await editor.diagnostics(join(here, 'chrootfile.yml'), text), []);
        const at = { line: text.split('\n').length - 1, character: 0 };
        assert.ok((await editor.completion(join(here, 'chrootfile.yml'), `${text}goals: [`, { ...at, character: 8 })).includes('greeting'));
      });
      const built = await run(['run'], { folder: here });
      assert.is(built.code, 0, built.stdout + built.stderr);
      assert.match(built.stdout, /^image_id = ami-/m);
      const again = await run(['init', 'new'], { folder });
      assert.equal([again.code, again.stderr.split('\n')[0]], [2, 'error: new/chrootfile.yml already exists']);
      // In an empty folder the settings are made as well.
      await run(['init', 'other'], { folder });
      assert.ok(existsSync(join(folder, 'other/.vscode/settings.json')));
    }));

  test('bash completes verbs, options, tasks, inputs and their values, runs, kinds', () =>
    inFolder({ 'chrootfile.yml': recipe, 'lib.yml': library, 'other.yml': 'version: 1\ntasks:\n  elsewhere: {run: "true"}\n' }, async (folder) => {
      const offers = (line: string) => bashOffers(`chrootfile ${line}`, folder);
      assert.equal(offers('gr'), ['graph']);
      assert.equal(offers('local '), ['images', 'volumes', 'snapshots', 'du', 'rm', 'serve', 'env', 'check', 'export', 'init', 'detach', 'reset']);
      assert.equal(offers('run w'), ['whole']);
      assert.equal(offers('run li'), ['lib.yml', 'lib.work']);
      assert.equal(offers('run hid'), []);
      assert.equal(offers('run other.yml '), ['elsewhere']);
      assert.equal(offers('run whole part[n='), ['1]', '2]'], 'bash replaces what stands behind the last "="');
      assert.equal(offers('run other.yml -- l'), ['lib.yml'], 'what the words of a recipe are, only it knows');
      assert.equal(offers('run --on-failure '), ['undo', 'keep', 'ask', 'shell']);
      assert.equal(offers('run --dry'), ['--dry-run']);
      assert.equal(offers('run -i '), ['flavor=', 'fast=']);
      assert.equal(offers('run -i flavor='), ['plain', 'full']);
      assert.equal(offers('run -i fast=t'), ['true']);
      assert.equal(offers('kinds disk.g'), ['disk.grow']);
      assert.equal(offers('completion '), ['bash', 'zsh', 'fish']);
      assert.equal(offers('run --print'), [], 'what is for the launcher is not offered');
      await run(['run', 'other.yml'], { folder });
      writeFileSync(join(folder, 'fails.yml'), 'version: 1\ntasks:\n  a: {run: "false", undo: {run: "true"}}\n');
      await run(['run', 'fails.yml', '--on-failure', 'keep'], { folder });
      const runs = readdirSync(join(folder, 'state/runs')).sort();
      const kept = runs.find((id) => id.includes('-fails-'));
      assert.equal(offers('run --resume '), [kept]);
      assert.equal(offers('undo '), [kept]);
      assert.equal(offers('logs ').sort(), runs);
      assert.is((await run(['undo', '--all'], { folder })).code, 0);
      writeFileSync(join(folder, 'chrootfile.yml'), 'version: 1\ntasks: {a: {rn: x');
      assert.equal(offers('run who'), [], 'a recipe with faults offers nothing, and says nothing');
    }));

  test('whoever asks for JSON gets the faults as JSON', () =>
    inFolder(
      {
        'r.yml': 'version: 1\nincludes: {lib: {recipe: lib.yml}}\ntasks:\n  a: {needs: [lib.b], run: "true"}\n',
        'lib.yml': 'version: 1\ntasks:\n  b: {needs: [c]}\n',
      },
      async (folder) => {
        const fault = {
          code: 'unknown-task',
          message: 'there is no task "c"',
          file: 'lib.yml',
          line: 3,
          column: 15,
          end: { line: 3, column: 16 },
          help: 'known names: b',
          included_at: [{ file: 'r.yml', line: 2, column: 26, end: { line: 2, column: 33 } }],
        };
        const ran = await run(['run', 'r.yml', '--format', 'json'], { folder });
        const event = JSON.parse(ran.stdout) as { type: string; diagnostics: unknown[] };
        assert.equal([ran.code, event.type, event.diagnostics], [2, 'recipe.invalid', [fault]]);
        for (const verb of ['plan', 'list']) {
          const said = await run([verb, 'r.yml', '--json'], { folder });
          assert.equal([said.code, JSON.parse(said.stdout)], [2, [fault]]);
        }
      },
    ));
});
