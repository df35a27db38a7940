import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/linux/read_json.js';
import type { Layer } from '../../src/runtime/layers/layer_records.js';
import { recordsOf } from '../support/ec2.js';
import type { Ended } from '../support/program.js';
import { program } from '../support/program.js';
import { runProgram, type Server, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

/** Two layers of a volume without a file system. */
const recipe = `version: 1
name: r
cache: true
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  first: {cache: {layer: true}, run: "echo first > {{ disk.device }}"}
  second: {cache: {layer: true}, run: "echo second > {{ disk.device }}"}
`;

/** Runs commands against a served EC2 as on AWS, with a state folder by name. */
function clientOf(server: Server, state: string, env: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(server.folder, 'r.yml'), recipe);
  const own = ['--state', join(server.folder, state)];
  const cloud = ['--cloud', 'aws', '--endpoint', server.endpoint];
  const chrootfile = (...words: string[]): Promise<Ended> => runProgram([program, ...words, ...own], server, env);
  const layers = (): Layer[] => {
    const folder = join(server.folder, state, 'layers');
    return readdirSync(folder).flatMap((name) => (name.endsWith('.json') ? [readJson(join(folder, name)) as Layer] : []));
  };
  return {
    chrootfile,
    layers,
    /** Runs the recipe. @returns how many tasks were cached. */
    run: async () => {
      const ran = await chrootfile('run', 'r.yml', ...cloud, '--format', 'json');
      assert.is(ran.code, 0, ran.stdout + ran.stderr);
      return ran.stdout.split('"outcome":"cached"').length - 1;
    },
    gc: async (...words: string[]) => {
      const ended = await chrootfile('gc', ...cloud, '--json', ...words);
      assert.is(ended.code, 0, ended.stderr);
      return (JSON.parse(ended.stdout) as { id: string; taken: boolean; why: string; deleted?: boolean }[]).map(({ id, taken, why, deleted }) => ({
        id,
        taken,
        why,
        ...(deleted === undefined ? {} : { deleted }),
      }));
    },
    snapshotOf: (task: string) => String(Object.values(layers().find(({ tasks }) => tasks.at(-1)?.task === task)?.snapshots ?? {})[0]),
    /** As if a power cut or an `rm` had taken the records of layers. */
    loseRecords: (task?: string) => {
      for (const { key, tasks } of layers()) if (task === undefined || tasks.at(-1)?.task === task) rmSync(join(server.folder, state, 'layers', `${key}.json`));
    },
  };
}

const snapshotsOf = ({ folder }: Server) =>
  recordsOf(folder, 'local-1', 'snapshots')
    .map(({ id }) => String(id))
    .sort();

suite('layers on AWS', (test) => {
  test('prune and gc find snapshots without a record by their tags, and only those of their own state folder or of the named run', () =>
    withServer(async (server) => {
      const [mine, other] = [clientOf(server, 'mine'), clientOf(server, 'other')];
      await mine.run();
      await other.run();
      const first = mine.snapshotOf('first');
      const others = ['first', 'second'].map(other.snapshotOf).sort();
      mine.loseRecords('first');
      const dry = await mine.chrootfile('layers', 'prune', '--keep', '1T');
      assert.equal([dry.code, dry.stderr, dry.stdout], [0, '', 'deleted 0 of 1 layer\n'], 'it may be a layer that is being made');
      const would = await mine.chrootfile('layers', 'prune', '--older', '0s', '--keep', '1T', '-n', '--json');
      assert.equal(JSON.parse(would.stdout).without_record, [{ id: first, region: 'local-1' }], would.stderr);
      const text = await mine.chrootfile('layers', 'prune', '--older', '0s');
      assert.match(text.stdout, 'deleted 1 of 1 layer\ndeleted 1 snapshot of a layer without a record\n', text.stderr);
      assert.equal(snapshotsOf(server), others);

      await mine.run();
      const all = ['first', 'second'].map(mine.snapshotOf);
      const run = mine.layers()[0]?.run ?? '';
      assert.equal(await mine.gc('--older', '0s', '--delete'), []);
      mine.loseRecords();
      const kept = { taken: false, why: 'a layer without a record, younger than --older' };
      assert.equal(new Set((await mine.gc('--delete')).map((row) => JSON.stringify(row))), new Set(all.map((id) => JSON.stringify({ id, ...kept }))));
      assert.equal(await other.gc('--older', '0s', '--delete'), [], 'they are of another state folder');
      const lost = (await other.gc('--run', run, '--delete')).map(({ id, why, deleted }) => `${id} ${why} ${deleted}`);
      assert.equal(lost.sort(), all.map((id) => `${id} named by --run true`).sort());
      assert.equal(snapshotsOf(server), others);
      other.loseRecords();
      assert.equal(
        (await other.gc('--older', '0s', '--delete')).map(({ why, deleted }) => `${why} ${deleted}`),
        ['a layer without a record true', 'a layer without a record true'],
      );
      assert.equal(snapshotsOf(server), []);
    }));

  test('the embedded EC2 that other state folders use keeps their layers', () =>
    withServer(async (server) => {
      const other = clientOf(server, 'other');
      await other.run();
      const pruned = await runProgram([program, 'layers', 'prune', '--older', '0s', '--state', join(server.folder, 'state')], server);
      assert.equal([pruned.code, pruned.stderr, pruned.stdout], [0, '', 'deleted 0 of 0 layers\n']);
      assert.is(await other.run(), 2);
    }));

  test('an account uses and deletes only its own layers', () =>
    withServer(async (server) => {
      const [mine, theirs] = ['000000000000', '111111111111'].map((AWS_ACCESS_KEY_ID) => clientOf(server, 'shared', { AWS_ACCESS_KEY_ID })) as [
        ReturnType<typeof clientOf>,
        ReturnType<typeof clientOf>,
      ];
      await mine.run();
      const made = mine.layers();
      assert.equal(
        made.map(({ account }) => account),
        ['000000000000', '000000000000'],
      );
      assert.is(await theirs.run(), 0, 'the snapshots are in another account');
      assert.is(theirs.layers().length, 4, 'the records of the first account stay');
      assert.is(await mine.run(), 2);

      const [layer] = made as [Layer];
      const removed = await theirs.chrootfile('layers', 'rm', layer.key);
      const why = 'the layer belongs to account 000000000000, and the credentials to 111111111111';
      assert.equal([removed.code, removed.stdout], [5, 'deleted 0 layers\n']);
      assert.match(removed.stderr, `its snapshot cannot be deleted: ${why}\n`);
      assert.is((await theirs.chrootfile('layers', 'prune', '--older', '0s')).code, 5);
      assert.equal(
        theirs.layers().map(({ account }) => account),
        ['000000000000', '000000000000'],
      );
      assert.is(await mine.run(), 2);
      assert.is((await mine.chrootfile('layers', 'prune', '--older', '0s')).code, 0);
      assert.equal(snapshotsOf(server), []);
    }));
});
