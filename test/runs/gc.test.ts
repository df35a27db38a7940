import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { heldBy, misbehaving, pipeline } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { program, run, start } from '../support/program.js';
import { makeTiny, runProgram, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

const recipe = `version: 1
name: lost
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "lost-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
  copies: {uses: ec2.copy, with: {image: "{{ image.id }}", regions: [local-2]}}
  other: {uses: ec2.volume, with: {snapshot_id: "{{ snapshot.id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ other.id }}"}}
  wait: {needs: [copies], run: "echo ready {{ disk.device }}; sleep 100"}
`;

type Row = { region: string; type: string; run: string; taken: boolean; why: string; deleted?: boolean; host: string };

suite('gc', (test) => {
  test(
    'finds by tag what a lost machine left, in every region, with no state of its own, and deletes it when told to',
    () =>
      withServer(async (server) => {
        const before = await lookAtHost();
        const ec2 = ['--cloud', 'aws', '--endpoint', server.endpoint];
        const tiny = await makeTiny(server);
        writeFileSync(join(server.folder, 'r.yml'), recipe);
        const lost = start(['run', 'r.yml', ...ec2], { folder: server.folder, env: { ...server.env, CHROOTFILE_STATE: join(server.folder, 'lost') } });
        await lost.saw('wait | ready');
        lost.child.kill('SIGKILL');
        await lost.ended;
        const gc = async (...args: string[]) => {
          const ended = await runProgram(
            [program, 'gc', ...ec2, '--regions', 'local-1,local-2', '--state', join(server.folder, 'elsewhere'), '--json', ...args],
            server,
          );
          return { code: ended.code, rows: JSON.parse(ended.stdout) as Row[], stderr: ended.stderr };
        };
        const listed = await gc('--delete');
        assert.equal([listed.code, listed.stderr], [0, '']);
        assert.equal(
          listed.rows.map(({ region, type, taken, why }) => `${region} ${type} ${taken} ${why}`),
          [
            'local-1 image false may be running on another machine',
            'local-1 snapshot false may be running on another machine',
            'local-1 volume false may be running on another machine',
            'local-2 image false may be running on another machine',
            'local-2 snapshot false may be running on another machine',
          ],
        );
        assert.match(listed.rows[0]?.host ?? '', /^i-[0-9a-f]+$/);
        const id = listed.rows[0]?.run ?? '';
        const run = await gc('--run', id, '--delete');
        assert.equal([run.code, run.rows.every(({ deleted, why }) => deleted && why === 'named by --run')], [0, true], JSON.stringify(run));
        assert.equal((await gc('--older', '0s', '--delete')).rows, []);
        // What a run that succeeded has made says so, and is never touched.
        const images = await runProgram(
          ['aws', '--endpoint-url', server.endpoint, 'ec2', 'describe-images', '--owners', 'self', '--query', 'Images[].ImageId', '--output', 'text'],
          server,
        ).catch(() => undefined);
        if (images?.code === 0) assert.is(images.stdout.trim(), tiny);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    120_000,
  );

  test(
    'takes what is older than it is told, and what this machine knows to be dead; not what goes on or is kept here',
    () =>
      inFolder({ 'r.yml': recipe }, async (folder) => {
        const before = await lookAtHost();
        const gc = async (...args: string[]) => {
          const ended = await run(['gc', '--regions', 'local-1,local-2', '--json', ...args], { folder });
          assert.is(ended.code, 0, ended.stderr);
          return JSON.parse(ended.stdout) as Row[];
        };
        const running = start(['run', 'r.yml', '--on-failure', 'keep'], { folder });
        await running.saw('wait | ready');
        assert.equal([...new Set((await gc('--older', '0s', '--delete')).map(({ why }) => why))], ['the run is running on this machine']);
        running.child.kill('SIGTERM');
        assert.is((await running.ended).code, 143);
        assert.equal([...new Set((await gc('--older', '0s', '--delete')).map(({ why }) => why))], ['the run is paused on this machine']);
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.equal(await gc(), []);
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
        assert.equal([...new Set((await gc('--delete')).map(({ why, deleted }) => `${why} ${deleted}`))], ['the run has ended on this machine true']);
        assert.equal(heldBy(folder), []);
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    120_000,
  );

  test(
    'deletes nothing in a region where EC2 does not tell all, and says so',
    () =>
      inFolder({ 'r.yml': recipe }, async (folder) => {
        const killed = start(['run', 'r.yml'], { folder });
        await killed.saw('wait | ready');
        killed.child.kill('SIGKILL');
        await killed.ended;
        const before = heldBy(folder);
        const env = misbehaving(folder, [{ action: 'DescribeSnapshots', region: 'local-1', fault: 'denied' }]);
        const ended = await run(['gc', '--regions', 'local-1,local-2', '--delete'], { folder, env });
        assert.is(ended.code, 5, ended.stdout + ended.stderr);
        assert.match(ended.stderr, 'error: nothing is deleted in local-1: DescribeSnapshots: UnauthorizedOperation');
        assert.equal(
          heldBy(folder),
          before.filter((line) => line.startsWith('local-1')),
        );
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
      }),
    60_000,
  );

  test(
    'a run counts as succeeded only once all it made is marked as kept, in every region',
    () =>
      inFolder(
        {
          'r.yml': `version: 1\nname: r\n${pipeline()
            .replace(/ {2}source: .*\n {2}preflight: .*\n/, '')
            .replace('{snapshot_id: "{{ source.snapshot_id }}"}', '{size: 1}')
            .replace('source: "{{ source.id }}", ', '')}`,
        },
        async (folder) => {
          const env = misbehaving(folder, [{ action: 'CreateTags', region: 'local-3', fault: 'denied' }]);
          const ran = await run(['run', 'r.yml'], { folder, env });
          assert.is(ran.code, 1, ran.stdout + ran.stderr);
          assert.match(ran.stderr, 'warning: the run cannot be completed: CreateTags: UnauthorizedOperation');
          assert.equal(heldBy(folder), []);
        },
      ),
    60_000,
  );
});
