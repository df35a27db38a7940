import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { isNotFound } from '../../src/aws/errors.js';
import { tokenOf } from '../../src/aws/journaled_create.js';
import { openHostContext } from '../../src/cli/host_context.js';
import type { FaultRule } from '../../src/local/fault_injection.js';
import { base, heldBy, misbehaving, pipeline } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const small = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  use: {run: "test -b {{ disk.device }}"}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "made-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
`;

suite('answers that leave it open what was done', (test) => {
  for (const action of ['CreateVolume', 'AttachVolume', 'DetachVolume', 'DeleteVolume', 'CreateSnapshot', 'RegisterImage', 'CreateTags']) {
    test(
      `${action} answered by HTTP 500 after its effect: done once, and nothing stays`,
      () =>
        inFolder({}, async (folder) => {
          const before = await lookAtHost();
          const ran = await runRecipe(folder, small, [], misbehaving(folder, [{ action, fault: 'error-after', times: 1 }]));
          assert.is(ran.code, 0, ran.ended.stdout + ran.ended.stderr);
          assert.equal(
            heldBy(folder).map((line) => line.split(' ')[1]),
            ['images', 'snapshots'],
          );
          assert.equal(differences(before, await lookAtHost()), []);
        }),
      60_000,
    );
  }

  test(
    'AttachVolume whose every answer is HTTP 500: what may have been attached is detached by the undo',
    () =>
      inFolder({}, async (folder) => {
        const before = await lookAtHost();
        const ran = await runRecipe(folder, small, [], misbehaving(folder, [{ action: 'AttachVolume', fault: 'error-after' }]));
        assert.is(ran.code === 0 || ran.code === 1, true, ran.ended.stdout);
        assert.equal(
          heldBy(folder).filter((line) => line.includes(' volumes ')),
          [],
        );
        assert.equal(differences(before, await lookAtHost()), []);
      }),
    60_000,
  );

  test(
    'limits that pass are waited out, with a line that says so',
    () =>
      inFolder({}, async (folder) => {
        writeFileSync(join(folder, 'base.yml'), `version: 1\n${base}`);
        assert.is((await run(['run', 'base.yml'], { folder })).code, 0);
        const rules: FaultRule[] = ['CreateSnapshot', 'CopyImage', 'CreateTags'].map((action) => ({ action, fault: 'limit', times: 1 }));
        const ran = await runRecipe(folder, pipeline(), [], misbehaving(folder, rules));
        assert.is(ran.code, 0, ran.ended.stdout);
        const told = ran.events.flatMap((event) =>
          event['type'] === 'task.progress' || event['type'] === 'warning' ? String(event['text'] ?? event['message']) : [],
        );
        for (const code of ['SnapshotCreationPerVolumeRateExceeded', 'ResourceLimitExceeded', 'ConcurrentTagAccess']) {
          assert.ok(
            told.some((text) => new RegExp(`^EC2 has reached a limit \\(${code}\\), retrying in \\d s$`).test(text)),
            `${code}: ${told.join('; ')}`,
          );
        }
      }),
    90_000,
  );

  test(
    'a limit that does not pass ends with the timeout of the task',
    () =>
      inFolder({}, async (folder) => {
        const ran = await runRecipe(
          folder,
          small.replace('snapshot: {uses', 'snapshot: {timeout: 3s, uses'),
          [],
          misbehaving(folder, [{ action: 'CreateSnapshot', fault: 'limit' }]),
        );
        assert.is(ran.code, 1);
        assert.match(ran.errors['snapshot'] ?? '', /timed out after 3 s$/);
        assert.equal(heldBy(folder), []);
      }),
    60_000,
  );

  test('tokens differ by run, task and attempt, however long their names are, and stay the same for one attempt', () => {
    const made = { run: 'r', task: `build[name=${'x'.repeat(100)}a]`, region: 'local-1', asked_at: '2026-01-01T00:00:00.000Z' };
    const tokens = [
      made,
      { ...made, task: made.task.replace('a]', 'b]') },
      { ...made, asked_at: '2026-01-01T00:00:00.001Z' },
      { ...made, region: 'local-2' },
      { ...made, run: 's' },
    ].map(tokenOf);
    assert.is(new Set(tokens).size, 5);
    assert.is(tokenOf({ ...made }), tokens[0]);
    assert.ok(tokens.every((token) => token.length <= 64));
  });

  test('an id that is malformed is not one that does not exist', () => {
    const error = (name: string) => Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 400 } });
    assert.equal(
      [isNotFound(error('InvalidVolume.NotFound')), isNotFound(error('InvalidParameterValue')), isNotFound(error('InvalidVolumeID.Malformed'))],
      [true, false, false],
    );
  });

  test('EC2 that could not be opened is opened again when it is next asked for', () =>
    inFolder({ 'faults.json': 'none' }, async (folder) => {
      const host = openHostContext({ cloud: { provider: 'local' }, state: join(folder, 'state'), signal: new AbortController().signal, warn: () => {} });
      process.env['CHROOTFILE_LOCAL_FAULTS'] = join(folder, 'faults.json');
      try {
        assert.match(String(await host.ec2().catch((error: Error) => error)), 'faults.json');
        writeFileSync(join(folder, 'faults.json'), '[]');
        assert.is((await host.ec2()).region, 'local-1');
      } finally {
        delete process.env['CHROOTFILE_LOCAL_FAULTS'];
      }
    }));

  test(
    'a copy whose answer was lost is taken back whole: the snapshots of all its volumes',
    () =>
      inFolder({}, async (folder) => {
        const two = `tasks:
  a: {uses: ec2.volume, with: {size: 1}}
  b: {uses: ec2.volume, with: {size: 1}}
  sa: {uses: ec2.snapshot, with: {volume: "{{ a.id }}"}}
  sb: {uses: ec2.snapshot, with: {volume: "{{ b.id }}"}}
  image: {uses: ec2.image, with: {name: "two-{{ run.id }}", snapshot: "{{ sa.id }}", block_device_mappings: [{device_name: /dev/sdb, snapshot_id: "{{ sb.id }}"}]}}
  copies: {uses: ec2.copy, with: {image: "{{ image.id }}", regions: [local-2]}}
  boom: {needs: [copies], run: exit 1}
`;
        const ran = await runRecipe(folder, two, [], misbehaving(folder, [{ action: 'CopyImage', fault: 'error-after' }], { visible: 1_500 }));
        assert.is(ran.code, 1, ran.ended.stdout);
        assert.equal(heldBy(folder), []);
      }),
    120_000,
  );
});
