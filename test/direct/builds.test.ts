import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as assert from 'uvu/assert';
import { type Direct, withDirect } from '../support/direct_runs.js';
import { heldBy } from '../support/ec2.js';
import { makeTiny, requestsOf } from '../support/served.js';
import { suite } from '../support/suite.js';

/** A build on the image called tiny: changes a file, and prints what the disk then holds. */
const build = (text: string, more = '') => `inputs: {code: {type: integer, default: 0}}
tasks:
  source: {uses: ec2.source_image, with: {filters: {name: tiny}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"${more}}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  parts: {uses: disk.root, with: {device: "{{ disk.device }}"}}
  root: {uses: mount, with: {device: "{{ parts.device }}"}}
  write: {run: 'echo "${text}" > "{{ root.path }}/direct"'}
  sum:
    needs: [write, root.released]
    run: 'echo "sum=$(sha256sum < {{ disk.device }} | cut -d" " -f1)" >> "$CHROOTFILE_OUTPUT"'
    outputs: {sum: }
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}", description: direct, tags: {a: b}}}
  image: {uses: ec2.image, with: {name: "direct-{{ run.id }}", snapshot: "{{ snapshot.id }}", source: "{{ source.id }}"}}
  end: {needs: [image], run: "exit {{ inputs.code }}"}
outputs: {image_id: "{{ image.id }}", snapshot_id: "{{ snapshot.id }}", digest: "{{ sum.sum }}"}
`;

/** How many requests of each action the served EC2 has had. */
function counts({ server }: Direct): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { action } of requestsOf(server)) found[action] = (found[action] ?? 0) + 1;
  return found;
}

/** The SHA-256 of the disk of a snapshot of the served EC2. */
async function sumOf({ server }: Direct, snapshot: unknown): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(server.folder, 'state/local/eu-west-1/disks', `${snapshot}.img`)), hash);
  return hash.digest('hex');
}

suite('direct builds', (test) => {
  test(
    'the image has what the disk had; the second build reads no block, and each sends only what it changed',
    () =>
      withDirect(async (direct) => {
        await makeTiny(direct.server);
        const first = await direct.run(build('one'));
        assert.is(first.code, 0, first.ended.stdout + first.ended.stderr);
        assert.is(await sumOf(direct, first.outputs['snapshot_id']), first.outputs['digest']);
        const afterFirst = counts(direct);
        const second = await direct.run(build('two'));
        assert.is(second.code, 0, second.ended.stdout + second.ended.stderr);
        assert.is(await sumOf(direct, second.outputs['snapshot_id']), second.outputs['digest']);
        const afterSecond = counts(direct);
        const { GetSnapshotBlock: read = 0, PutSnapshotBlock: sent = 0 } = afterFirst;
        assert.ok(read > 10 && sent > 0 && sent < read, JSON.stringify(afterFirst));
        assert.is(afterSecond['GetSnapshotBlock'], read);
        assert.is(afterSecond['ListSnapshotBlocks'], afterFirst['ListSnapshotBlocks']);
        assert.ok((afterSecond['PutSnapshotBlock'] ?? 0) < 2 * read);
        for (const action of ['AttachVolume', 'CreateSnapshot']) assert.is(afterSecond[action], 1, action);
        assert.equal(
          heldBy(direct.folder).map((name) => name.replace(/snap-.*/, 'snap')),
          ['eu-west-1 snapshots snap'],
        );
      }),
    60_000,
  );
});
