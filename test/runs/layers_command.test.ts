import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ownIdentity } from '../../src/linux/process_identity.js';
import type { LastRun, Layer } from '../../src/runtime/layers/layer_records.js';
import { misbehaving, recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { sourceImage, succeeding, withPool } from '../support/layers.js';
import { noAccount, run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** Two layers, the first of them without the second task. */
const recipe = `cache: true
inputs: {greeting: {type: string, default: hello, description: A word}}
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  first: {cache: {layer: true}, run: "echo {{ inputs.greeting }} > {{ root.path }}/first"}
  second: {cache: {layer: true}, run: "echo > {{ root.path }}/second"}
`;

/** Runs something with two layers. */
const withLayers = (body: (folder: string, made: { readonly first: Layer; readonly second: Layer }) => Promise<void>) =>
  withPool({}, async (folder) => {
    await succeeding(folder, sourceImage('base'));
    await succeeding(folder, recipe);
    const of = (task: string) => layersIn(folder).find(({ tasks }) => tasks.at(-1)?.task === task) as Layer;
    await body(folder, { first: of('first'), second: of('second') });
  });

const records = (folder: string) => join(folder, 'state/layers');

function layersIn(folder: string): Layer[] {
  const files = readdirSync(records(folder)).filter((name) => name.endsWith('.json'));
  return files.map((name) => JSON.parse(readFileSync(join(records(folder), name), 'utf8')) as Layer);
}

/** The snapshots of layers. */
function snapshotsIn(folder: string): string[] {
  const tagsOf = ({ tags }: Record<string, unknown>) => tags as readonly { readonly Key: string }[];
  const found = recordsOf(folder, 'local-1', 'snapshots').filter((each) => tagsOf(each).some(({ Key }) => Key === 'chrootfile:layer'));
  return found.map(({ id }) => String(id)).sort();
}

const short = ({ key }: Layer) => key.slice(0, 12);
const snapshotOf = ({ snapshots }: Layer) => String(Object.values(snapshots)[0]);
/** What a command printed, without what differs between two runs of a test. */
const told = (text: string) =>
  text
    .replaceAll(/[0-9.]+ (MiB|GiB)/g, '… MiB')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, '…')
    .replaceAll(/\b[0-9.]+ ?s\b/g, '…s');

suite('chrootfile layers', (test) => {
  test('lists and shows layers', () =>
    withLayers(async (folder, { first, second }) => {
      const layers = (...words: string[]) => run(['layers', ...words], { folder });
      const lines = told((await layers()).stdout)
        .replaceAll(/ +/g, ' ')
        .split('\n');
      assert.equal(lines, [
        'KEY MADE (UTC) USED (UTC) AFTER TASKS SAVES SIZE RECIPE',
        `${short(second)} … … second 3 …s … MiB ${folder}/r.yml`,
        `${short(first)} … … first 2 …s … MiB ${folder}/r.yml`,
        '2 layers in … MiB, where blocks that they share count once',
        '',
      ]);
      const shown = told((await layers('show', short(first))).stdout).replaceAll(/[0-9a-f]{12} \(hash\)/g, '… (hash)');
      assert.is(
        shown,
        `layer      ${first.key}
made       … UTC, by run ${first.run}
used       … UTC
recipe     ${folder}/r.yml
snapshot   ${snapshotOf(first)} in local-1
size       … MiB

volume  ${first.tasks[0]?.key.slice(0, 12)}  succeeded  …s
  kind: "ec2.volume 1"
  with.snapshot_id: … (hash)
  source.snapshot_id: … (hash)

first  ${short(first)}  succeeded  …s
  script: … (hash)
  input greeting: "hello"
  root.path: … (hash)
`,
      );
    }));

  test('deletes layers', () =>
    withLayers(async (folder, { first, second }) => {
      const layers = (...words: string[]) => run(['layers', ...words], { folder });
      const dry = await layers('prune', '--older', '0s', '-n');
      assert.is(told(dry.stdout), `KEY           TASK    SIZE\n${short(first)}  first   … MiB\n${short(second)}  second  … MiB\nwould delete 2 of 2 layers\n`);
      const one = await layers('rm', short(first), first.key);
      assert.equal([one.code, one.stdout, one.stderr, snapshotsIn(folder)], [0, 'deleted 1 layer\n', '', [snapshotOf(second)]]);
      const other = await layers('rm', '--json', second.key);
      const record = { version: 1, deleted: [{ key: second.key, task: 'second' }], in_use: [], failed: [] };
      assert.equal([other.code, JSON.parse(other.stdout), other.stderr, snapshotsIn(folder)], [0, record, '', []]);
      assert.is((await layers()).stdout, 'no layers\n');
    }));

  test('keeps the record of a layer whose snapshot cannot be deleted, and goes on with the others', () =>
    withLayers(async (folder, { first, second }) => {
      const faults = misbehaving(folder, [{ action: 'DeleteSnapshot', fault: 'denied', times: 1 }]);
      const failed = await run(['layers', 'prune', '--older', '0s'], { folder, env: faults });
      const denied =
        'You are not authorized to perform this operation. arn:aws:iam::000000000000:user/local may not ec2:DeleteSnapshot on *: no policy allows it.';
      const why = `DeleteSnapshot: UnauthorizedOperation: ${denied}\n  help: the permission ec2:DeleteSnapshot is missing`;
      assert.is(
        failed.stderr,
        `error: layer ${short(first)} (${snapshotOf(first)}, local-1): its snapshot cannot be deleted: ${why}\n  help: chrootfile layers rm ${short(first)} --state ${folder}/state\n`,
      );
      assert.equal([failed.code, told(failed.stdout)], [5, `KEY           TASK    SIZE\n${short(second)}  second  … MiB\ndeleted 1 of 2 layers\n`]);
      assert.equal([layersIn(folder), snapshotsIn(folder)], [[first], [snapshotOf(first)]]);
      const again = await run(['layers', 'rm', first.key], { folder });
      assert.equal([again.code, again.stdout, snapshotsIn(folder)], [0, 'deleted 1 layer\n', []]);
    }));

  test('keeps the record of a layer on AWS when its region cannot be reached', () =>
    withLayers(async (folder, { first }) => {
      // As if it had been made on AWS, in a region of the environment of that time.
      const cloud = { provider: 'aws', endpoint: 'http://127.0.0.1:1', max_attempts: 1 } as const;
      const layer = { ...first, cloud, region: 'eu-west-1', snapshots: { volume: 'snap-0123456789abcdef0' } };
      writeFileSync(join(records(folder), `${first.key}.json`), JSON.stringify(layer));
      const env = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: '', AWS_DEFAULT_REGION: '', ...noAccount };
      const failed = await run(['layers', 'rm', first.key, '--json'], { folder, env });
      const why = 'GetCallerIdentity: connect ECONNREFUSED 127.0.0.1:1';
      const byHand = 'aws --endpoint-url http://127.0.0.1:1 ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-0123456789abcdef0';
      assert.is(
        failed.stderr,
        `error: layer ${short(first)} (snap-0123456789abcdef0, eu-west-1): its snapshot cannot be deleted: ${why}\n  help: ${byHand} && chrootfile layers rm ${short(first)} --state ${folder}/state\n`,
      );
      const record = { key: first.key, region: 'eu-west-1', snapshots: ['snap-0123456789abcdef0'], error: why };
      assert.equal([failed.code, JSON.parse(failed.stdout)], [5, { version: 1, deleted: [], in_use: [], failed: [record] }]);
      assert.ok(layersIn(folder).some(({ key }) => key === first.key));
    }));

  test('deletes no layer that a run uses', () =>
    withLayers(async (folder, { first, second }) => {
      const maker = { ...ownIdentity(), run: '20261126-1200-x', task: 'volume', keys: [], using: second.key };
      const file = join(records(folder), 'making', '20261126-1200-x volume.maker');
      writeFileSync(file, JSON.stringify(maker));
      const told = `warning: layer ${short(second)} is not deleted: run 20261126-1200-x uses it\n  help: try again when it has ended\n`;
      const used = await run(['layers', 'rm', '--json', second.key], { folder });
      const record = { version: 1, deleted: [], in_use: [{ key: second.key, run: '20261126-1200-x' }], failed: [] };
      assert.equal([used.code, JSON.parse(used.stdout), used.stderr], [4, record, told]);
      const pruned = await run(['layers', 'prune', '--older', '0s'], { folder });
      assert.equal([pruned.code, pruned.stderr, layersIn(folder)], [0, told, [second]]);
      assert.match(pruned.stdout, `${short(first)}  first `);
      rmSync(file);
      assert.is((await run(['layers', 'rm', second.key], { folder })).stdout, 'deleted 1 layer\n');
    }));

  test('lists layers of an older format, and prune deletes them', () =>
    withLayers(async (folder, { first, second }) => {
      const file = join(records(folder), `${first.key}.json`);
      writeFileSync(file, JSON.stringify({ ...first, format: 0 }));
      const listed = told((await run(['layers'], { folder })).stdout)
        .replaceAll(/ +/g, ' ')
        .split('\n');
      assert.ok(listed.includes(`${short(first)} … … old format - - … MiB ${folder}/r.yml`), listed.join('\n'));
      assert.match((await run(['layers', 'show', short(first)], { folder })).stdout, /^format {5}old format$/m);
      const pruned = await run(['layers', 'prune', '--keep', '1T'], { folder });
      assert.is(told(pruned.stdout), `KEY           TASK        SIZE\n${short(first)}  old format  … MiB\ndeleted 1 of 2 layers\n`);
      assert.equal([layersIn(folder), snapshotsIn(folder)], [[second], [snapshotOf(second)]]);
      const reset = await run(['local', 'reset'], { folder });
      assert.match(reset.stderr, 'error: reset deletes 1 image, 1 snapshot, 1 layer, 0 volumes\n');
    }));

  test('prune forgets how tasks ran that are old and in no layer', () =>
    withLayers(async (folder, { first, second }) => {
      const tasks = join(records(folder), 'tasks');
      const keys = () => readdirSync(tasks).map((name) => (JSON.parse(readFileSync(join(tasks, name), 'utf8')) as LastRun).key);
      assert.equal(new Set(keys()), new Set([first.tasks[0]?.key, first.key, second.key]));
      assert.is((await run(['layers', 'rm', second.key], { folder })).code, 0);
      await run(['layers', 'prune', '--older', '1h'], { folder });
      assert.is(keys().length, 3, 'the task of the deleted layer ran just now');
      const longAgo = Date.now() / 1000 - 31 * 86_400;
      for (const name of readdirSync(tasks)) utimesSync(join(tasks, name), longAgo, longAgo);
      await run(['layers', 'prune', '--keep', '1T', '-n'], { folder });
      assert.is(keys().length, 3);
      await run(['layers', 'prune', '--keep', '1T'], { folder });
      assert.equal(new Set(keys()), new Set([first.tasks[0]?.key, first.key]));
    }));

  test('reports words and options that it does not know', () =>
    inFolder({}, async (folder) => {
      const layers = async (...words: string[]) => {
        const ended = await run(['layers', ...words], { folder });
        return [ended.code, ended.stderr];
      };
      assert.equal(await layers('shw'), [2, 'error: unknown command "layers shw"\n  help: did you mean "show"?\n']);
      assert.equal(await layers('rm', 'ab'), [2, `error: unknown layer "ab"\n  help: chrootfile layers --state ${folder}/state\n`]);
      for (const name of ['list', 'show', 'prune', 'rm']) {
        const { stdout } = await run(['layers', name, '--help'], { folder });
        for (const option of ['--json', '--state <folder>']) assert.match(stdout, `  ${option} `, name);
      }
    }));
});
