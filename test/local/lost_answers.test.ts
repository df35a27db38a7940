import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openEc2 } from '../../src/aws/client.js';
import { registerImage } from '../../src/aws/images.js';
import { findHost } from '../../src/aws/instance.js';
import type { MadeNote } from '../../src/aws/journaled_create.js';
import { tagsOf } from '../../src/aws/ownership_tags.js';
import { createSnapshot } from '../../src/aws/snapshots.js';
import { attachVolume, createVolume, detachVolume } from '../../src/aws/volumes.js';
import { hostShell } from '../../src/linux/command.js';
import { LocalEc2 } from '../../src/local/ec2.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

type Request = { readonly body?: unknown };

/** An embedded EC2 whose connection is cut once for each action, before or after the action had its effect. */
async function withCuts(folder: string, when: 'before' | 'after') {
  const local = new LocalEc2({
    root: join(folder, 'local'),
    run: (command, options) => hostShell.run(command, options),
  });
  const cut = new Set<string>();
  const handle = async (request: Request) => {
    const action = new URLSearchParams(String(request.body)).get('Action') ?? '';
    const first = !cut.has(action);
    cut.add(action);
    const lost = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    if (first && when === 'before') throw lost();
    const answer = await local.requestHandler.handle(request);
    if (first) throw lost();
    return answer;
  };
  return { local, ec2: await openEc2({ provider: 'local' }, { handler: { handle } as never, region: 'local-1', consistent: true }) };
}

suite('answers of EC2 that are lost', (test) => {
  for (const when of ['before', 'after'] as const) {
    test(`${when} the effect: everything is made once, and known`, () =>
      inFolder({}, async (folder) => {
        const { ec2, local } = await withCuts(folder, when);
        const { signal } = new AbortController();
        const made: MadeNote = { run: 'r', task: 't', region: 'local-1', asked_at: new Date().toISOString() };
        const Tags = await tagsOf(ec2, made, 'name', {});
        const tags = (ResourceType: 'volume' | 'snapshot' | 'image') => [{ ResourceType, Tags }];
        const progress = () => {};
        const { instance_id: instance, zone } = await findHost(ec2);
        const { VolumeId: volume = '' } = await createVolume(
          ec2,
          { AvailabilityZone: zone, Size: 1, ClientToken: 'token', TagSpecifications: tags('volume') },
          signal,
        );
        const attached = { volume, instance, device: '/dev/sdf', region: 'local-1', asked_at: made.asked_at };
        assert.is((await attachVolume(ec2, attached, signal))?.State, 'attached');
        await detachVolume(ec2, attached, signal);
        await detachVolume(ec2, attached, signal);
        const snapshot = await createSnapshot(ec2, { VolumeId: volume, TagSpecifications: tags('snapshot') }, made, signal, progress);
        const mapping = [{ DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshot } }];
        const image = await registerImage(
          ec2,
          { Name: 'name', RootDeviceName: '/dev/xvda', BlockDeviceMappings: mapping, TagSpecifications: tags('image') },
          made,
          signal,
          progress,
        );
        assert.equal(
          (['volumes', 'snapshots', 'images'] as const).map((kind) => local.store.list(kind).map(({ id }) => id)),
          [[volume], [snapshot], [image]],
        );
      }));
  }
});
