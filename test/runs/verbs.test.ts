import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import type { PlanJson } from '../../src/cli/schemas/plan.js';
import type { RunsJson } from '../../src/cli/schemas/runs.js';
import { inFolder } from '../support/folder.js';
import { finished, noAccount, program, repository, run } from '../support/program.js';
import { suite } from '../support/suite.js';

const base = join(repository, 'recipes/base.yml');
const library = join(repository, 'recipes/lib/image_from_image.yml');

suite('verbs', (test) => {
  test('plan prints one line a task with the known values, and the total; --why adds reasons and undo; run --dry-run is the same', () =>
    inFolder({}, async (folder) => {
      const { stdout, code } = await run(['plan', base], { folder });
      assert.is(code, 0);
      assert.match(stdout, /^\S+base\.yml: 11 tasks, 6 releases\n\n {2}1 {2}volume {5}ec2\.volume {7}size=4\n {2}2 {2}disk {7}ec2\.attachment\n/);
      assert.match(stdout, /\n {2}8 {2}grub {7}run in sys\n[\s\S]*\n 11 {2}image .*\n\ncreates 6, keeps 2 \(snapshot, image\)\n$/);
      assert.is((await run(['run', '-n', base], { folder })).stdout, stdout);
      const why = (await run(['plan', base, '--why'], { folder })).stdout;
      assert.match(
        why,
        / {2}2 {2}disk +ec2\.attachment\n {6}The volume, attached to this machine\n {6}after volume: refers to volume\.id\n {6}undo at its release: detach the volume\n/,
      );
      assert.match(
        why,
        /15 {2}snapshot +ec2\.snapshot\n {6}\S.*\n {6}after disk\.released: freezes "volume" \(volume\)\n {6}undo when the run fails: delete the snapshot\n/,
      );
      const json = JSON.parse((await run(['plan', base, 'volume', '--json'], { folder })).stdout) as PlanJson;
      assert.equal(
        json.nodes.map((node) => [node.id, node.with]),
        [
          ['volume', { size: 4 }],
          ['volume.released', undefined],
        ],
      );
      assert.equal([json.version, json.creates, json.keeps, json.left_out.length], [1, ['volume'], [], 10]);
    }));

  test('plan leaves out values that are not known before the run', () =>
    inFolder(
      {
        'r.yml':
          'version: 1\ntasks:\n  a: {uses: ec2.volume, with: {size: 1, tags: {run: "{{ run.id }}"}, encrypted: true}}\n  b: {uses: ec2.snapshot, with: {volume: "{{ a.id }}"}}\n',
      },
      async (folder) => {
        const { stdout, stderr } = await run(['plan', 'r.yml'], { folder });
        assert.match(stdout, '  1  a  ec2.volume    size=1 encrypted=true\n  2  b  ec2.snapshot\n', stderr);
      },
    ));

  test('JSON output is as its schema says', () =>
    inFolder({}, async (folder) => {
      const mustFit = (name: string, text: string) => {
        const validate = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(join(repository, `schemas/${name}.schema.json`), 'utf8')));
        assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
      };
      const tiny = join(repository, 'test/fixtures/tiny.yml');
      await run(['run', tiny, '-i', 'script=true', '--manifest', 'made.json'], { folder });
      await run(['run', tiny, '-i', 'script=exit 1'], { folder });
      mustFit('manifest', readFileSync(join(folder, 'made.json'), 'utf8'));
      const runs = (await run(['runs', '--json'], { folder })).stdout;
      mustFit('runs', runs);
      for (const { run: id } of (JSON.parse(runs) as RunsJson).runs) mustFit('plan', readFileSync(join(folder, 'state/runs', id, 'plan.json'), 'utf8'));
      mustFit('plan', (await run(['plan', join(repository, 'recipes/web.yml'), '--json'], { folder })).stdout);
      await run(['run', tiny, '--cache', '--force', '-i', 'script=true'], { folder });
      for (const words of [['layers'], ['why', tiny, '-i', 'script=false']]) {
        const { stdout } = await run([...words, '--json'], { folder });
        mustFit(words[0] ?? '', stdout);
        assert.ok(stdout.includes('"seconds":'), stdout);
      }
    }));

  test('list, kinds and schema tell what there is, for people and for programs', () =>
    inFolder({}, async (folder) => {
      assert.match((await run(['list', base], { folder })).stdout, /^bootstrap +run +Debian, installed and configured$/m);
      assert.is((JSON.parse((await run(['list', base, '--json'], { folder })).stdout) as { tasks: unknown[] }).tasks.length, 11);
      assert.match((await run(['kinds'], { folder })).stdout, /^ec2\.snapshot +step +Creates a snapshot of a volume/m);
      const manual = (await run(['kinds', 'chroot.upload'], { folder })).stdout;
      assert.match(manual, '    from  string; required\n        File or folder of the host, relative to the recipe\n');
      assert.match(manual, 'uses: chroot.upload');
      const unknown = await run(['kinds', 'chroot.uplaod'], { folder });
      assert.equal([unknown.code, unknown.stderr], [2, 'error: unknown kind "chroot.uplaod"\n  help: did you mean "chroot.upload"?\n']);
      assert.equal(JSON.parse((await run(['schema'], { folder })).stdout), JSON.parse(readFileSync(join(repository, 'schemas/recipe.schema.json'), 'utf8')));
    }));

  test('check gives the same faults as JSON and as annotations', () =>
    inFolder({ 'r.yml': 'version: 1\ntasks:\n  a: {run: "true", deps: [b]}\n' }, async (folder) => {
      const json = await run(['check', 'r.yml', '--format', 'json'], { folder });
      assert.is(json.code, 2);
      assert.equal(JSON.parse(json.stdout), [
        {
          code: 'unknown-key',
          message: 'unknown key "deps"',
          file: 'r.yml',
          line: 3,
          column: 20,
          end: { line: 3, column: 24 },
          help: `Taskfile's "deps" is "needs" here`,
        },
      ]);
      assert.is(
        (await run(['check', 'r.yml', '--format', 'github'], { folder })).stdout,
        `::error file=r.yml,line=3,col=20,title=unknown-key::unknown key "deps" (Taskfile's "deps" is "needs" here)\n`,
      );
    }));

  test('a warning of check and plan is printed, for programs too, and the exit code is 0', () =>
    inFolder(
      { 'r.yml': `version: 1\nincludes: {ami: {recipe: ${library}, with: {name: web}}}\ntasks:\n  a: {in: ami.chroot, run: "true"}\n` },
      async (folder) => {
        const checked = await run(['check', 'r.yml'], { folder });
        assert.equal([checked.code, checked.stdout], [0, 'r.yml: ok, 9 tasks\n'], checked.stderr);
        assert.match(checked.stderr, /^r\.yml:4:11: warning: no image is created .* \[no-image\]\n[\s\S]*\n1 warning\n$/);
        const planned = await run(['plan', 'r.yml'], { folder });
        assert.equal([planned.code, planned.stderr], [0, checked.stderr]);
        const [record] = JSON.parse((await run(['check', 'r.yml', '--format', 'json'], { folder })).stdout) as Record<string, unknown>[];
        assert.equal([record?.['code'], record?.['severity'], record?.['line']], ['no-image', 'warning', 4]);
        const annotated = await run(['check', 'r.yml', '--format', 'github'], { folder });
        assert.is(annotated.code, 0);
        assert.match(annotated.stdout, /^::warning file=r\.yml,line=4,col=11,title=no-image::/);
      },
    ));

  test('doctor finds this host able, and says what is wrong where something is', () =>
    inFolder({}, async (folder) => {
      const well = await run(['doctor', '--json'], { folder, env: noAccount });
      assert.is(well.code, 0, well.stdout);
      const { ok, findings } = JSON.parse(well.stdout) as { ok: boolean; findings: { name: string; ok: boolean }[] };
      assert.ok(ok && findings.every((finding) => finding.ok) && findings.length >= 7);
      const ill = await run(['doctor', '--state', '/dev/null/state'], { folder, env: noAccount });
      assert.is(ill.code, 3);
      assert.match(ill.stdout, '✖ state: /dev/null/state cannot be written');
    }));

  test(
    'local lists, exports (raw, byte for byte) and resets; logs prints what tasks said',
    () =>
      inFolder({}, async (folder) => {
        const built = await run(['run', join(repository, 'test/fixtures/tiny.yml'), '-i', 'script=echo hello', '--format', 'json'], { folder });
        const { image_id, snapshot_id } = finished(built)['outputs'] as Record<string, string>;
        assert.match((await run(['local', 'images'], { folder })).stdout, new RegExp(`^${image_id} .*${snapshot_id} +tiny-`, 'm'));
        assert.is((JSON.parse((await run(['local', 'snapshots', '--json'], { folder })).stdout) as { id: string }[])[0]?.id, snapshot_id);
        assert.is((await run(['local', 'volumes'], { folder })).stdout, 'no volumes\n');
        assert.is((await run(['local', 'export', image_id ?? '', 'out.img'], { folder })).code, 0);
        execFileSync('cmp', [join(folder, 'out.img'), join(folder, 'state/local/local-1/disks', `${snapshot_id}.img`)]);
        assert.is(statSync(join(folder, 'out.img')).size, 1024 ** 3);
        assert.is((await run(['local', 'export', image_id ?? '', 'out.img'], { folder })).stderr, 'error: out.img already exists\n');
        assert.match((await run(['local', 'export', 'ami-none', 'other.img'], { folder })).stderr, 'unknown image "ami-none"');
        assert.match((await run(['logs'], { folder })).stdout, '==> work <==\nhello\n');
        const id = String(finished(built)['run']);
        assert.is((await run(['logs', id.slice(0, -2), 'work'], { folder })).stdout, 'hello\n');
        assert.is((await run(['logs', id, 'wrok'], { folder })).code, 2);
        assert.match((await run(['local', 'reset'], { folder })).stderr, 'reset deletes 1 image, 1 snapshot, 0 layers, 0 volumes');
        assert.is((await run(['local', 'reset', '--yes'], { folder })).code, 0);
        assert.is((await run(['local', 'images'], { folder })).stdout, 'no images\n');
      }),
    60_000,
  );

  test('plan says why each task is there and what was left out; list names the outputs', () =>
    inFolder({}, async (folder) => {
      const web = join(repository, 'recipes/web.yml');
      const image = (await run(['plan', web, 'ami.image', '--why'], { folder })).stdout;
      assert.match(image, /: 14 tasks, 6 releases, to reach ami\.image\n/);
      assert.match(image, /ami\.source .*\n(.*\n)+? {6}in the plan because "ami\.\w+" needs it\n/);
      assert.match(image, /smoke +run in ami\.chroot\n(.*\n)+? {6}in the plan because "ami\.snapshot" freezes "ami\.volume"\n/);
      assert.not.match(image, 'left out');
      const packages = (await run(['plan', web, 'packages'], { folder })).stdout;
      assert.match(packages, /\nleft out: ami\.snapshot, ami\.image, cleanup\.all, pages, smoke\n$/);
      assert.match((await run(['list', web], { folder })).stdout, '\noutputs: image_id, image_name, nginx\n');
    }));

  test('local rm deletes by the API, with its reasons; local du tells sizes', () =>
    inFolder({}, async (folder) => {
      const built = await run(['run', join(repository, 'test/fixtures/tiny.yml'), '-i', 'script=true', '--format', 'json'], { folder });
      const { image_id: image = '', snapshot_id: snapshot = '' } = finished(built)['outputs'] as Record<string, string>;
      const du = (await run(['local', 'du'], { folder })).stdout;
      assert.match(
        du,
        new RegExp(`^ID +REGION +SIZE +ON DISK +SHARED\n${snapshot} +local-1 +1 GiB +[\\d.]+ (MiB|GiB) +([\\d.]+ MiB|\\?)\ntotal +1 GiB +[\\d.]+ (MiB|GiB)\n$`),
      );
      const refused = await run(['local', 'rm', snapshot, 'vol-none'], { folder });
      assert.is(refused.code, 1);
      assert.match(refused.stderr, `error: ${snapshot}: `);
      assert.match(refused.stderr, `is currently in use by ${image}`);
      assert.match(refused.stderr, 'error: vol-none: no image, snapshot or volume has this id\n');
      const removed = await run(['local', 'rm', snapshot, image], { folder });
      assert.equal([removed.code, removed.stdout, removed.stderr], [0, `${image} deleted\n${snapshot} deleted\n`, '']);
      assert.is((await run(['local', 'snapshots'], { folder })).stdout, 'no snapshots\n');
    }));

  test('a resource on the host needs the sandbox, or a root whose mounts others see', () =>
    inFolder({}, async (folder) => {
      writeFileSync(join(folder, 'r.yml'), 'version: 1\ntasks:\n  hold: {run: "true", undo: {run: "true", when: always}}\n');
      const refused = spawnSync('unshare', ['--mount', '--propagation', 'private', '--', program, 'run', 'r.yml', '--no-sandbox'], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, CHROOTFILE_STATE: join(folder, 'state') },
      });
      assert.is(refused.status, 3);
      assert.match(refused.stderr, 'without the sandbox "hold" cannot mount anything for the tasks that use it\n');
    }));

  test('every verb has help with examples', () =>
    inFolder({}, async (folder) => {
      const verbs = [...(await run(['--help'], { folder })).stdout.matchAll(/^ {2}([a-z]+) /gm)]
        .map(([, verb = '']) => verb)
        .filter((verb) => verb !== 'help' && verb !== 'local' && verb !== 'sudo' && verb !== 'chrootfile');
      assert.ok(verbs.length >= 10, verbs.join());
      for (const verb of [...verbs, 'local export', 'local images', 'local init', 'local reset']) {
        const help = await run([...verb.split(' '), '--help'], { folder });
        assert.is(help.code, 0);
        assert.match(help.stdout, 'Examples:\n', verb);
      }
    }));
});
