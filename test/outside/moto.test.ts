import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EC2Client, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { areEqual } from '../support/direct.js';
import { inFolder } from '../support/folder.js';
import { finished, repository, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

const python = process.env['CHROOTFILE_NEWEST_PYTHON'];

/** The file of the root volume of an image in the embedded EC2 of a state folder. */
function diskOf(state: string, region: string, image: string): string {
  const { store } = localEc2(state, region);
  const [mapping] = store.get('images', image)?.mappings ?? [];
  return store.diskOf(String(mapping?.snapshot));
}

interface Moto {
  readonly endpoint: string;
  /** Ends it; gives what it printed at the end. */
  stop(): Promise<string>;
}

async function startMoto(folder: string): Promise<Moto> {
  const child = spawn(python ?? '', [join(repository, 'test/outside/moto_server.py'), folder], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [printed, faults] = ['', ''];
  child.stderr.on('data', (chunk) => {
    faults += chunk;
  });
  const closed = new Promise<void>((done) => child.on('close', () => done()));
  const endpoint = await new Promise<string>((known, fail) => {
    child.stdout.on('data', (chunk) => {
      printed += chunk;
      if (printed.includes('\n')) known(printed.split('\n')[0] ?? '');
    });
    closed.then(() => fail(new Error(faults)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await closed;
    return printed;
  };
  return { endpoint, stop };
}

suite(
  "moto's server, another EC2 that was not written here",
  (test) => {
    const env = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', AWS_REGION: 'us-east-1' };

    test(
      'takes every call of a build with copies and sharing, and of destroying it',
      () =>
        inFolder({}, async (folder) => {
          const moto = await startMoto(folder);
          try {
            const cloud = ['--cloud', 'aws', '--endpoint', moto.endpoint, '--format', 'json'];
            const tiny = finished(await run(['run', join(repository, 'bench/tiny.yml'), ...cloud], { folder, env }));
            assert.is(tiny['ok'], true, JSON.stringify(tiny));
            const { image_id: source } = tiny['outputs'] as { image_id: string };
            const recipe = `version: 1
name: next
includes:
  ami:
    recipe: ${join(repository, 'recipes/lib/amazon_chroot.yml')}
    with:
      source_ami: ${source}
      ami_name: next
      # moto answers no to those it does not know.
      dry_run: false
      ami_regions: [eu-west-1]
      ami_users: ["111122223333"]
      snapshot_users: ["111122223333"]
      tags: {team: a}
tasks:
  greet: {in: ami.chroot, run: "cat /etc/os-release; echo hi > /etc/hello"}
outputs: {images: "{{ ami.images }}"}
`;
            writeFileSync(join(folder, 'next.yml'), recipe);
            const ended = await run(['run', 'next.yml', ...cloud], { folder, env });
            const next = finished(ended);
            assert.is(next['ok'], true, ended.stdout);
            assert.equal(Object.keys((next['outputs'] as { images: object }).images).sort(), ['eu-west-1', 'us-east-1']);
            const gone = await run(['destroy', String(next['run']), '--yes'], { folder, env });
            assert.is(gone.code, 0, gone.stdout + gone.stderr);
          } finally {
            const printed = await moto.stop();
            console.log(`\n${printed}`);
            assert.match(printed, 'left: [] []');
          }
        }),
      60_000,
    );

    test(
      'gc takes what a run left whose instance was terminated, from a machine that knows nothing of it',
      () =>
        inFolder({}, async (folder) => {
          const moto = await startMoto(folder);
          try {
            writeFileSync(
              join(folder, 'r.yml'),
              'version: 1\nname: r\ntasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}\n  wait: {needs: [snapshot], run: "echo ready {{ volume.id }}; sleep 100"}\n',
            );
            const cloud = ['--cloud', 'aws', '--endpoint', moto.endpoint];
            const lost = start(['run', 'r.yml', ...cloud], { folder, env });
            await lost.saw('wait | ready');
            lost.child.kill('SIGKILL');
            await lost.ended;
            const gc = async () => {
              const ended = await run(['gc', ...cloud, '--delete', '--json', '--state', join(folder, 'elsewhere')], { folder, env });
              assert.is(ended.code, 0, ended.stderr);
              return JSON.parse(ended.stdout) as { type: string; host: string; why: string; deleted?: boolean }[];
            };
            const before = await gc();
            const host = before[0]?.host ?? '';
            assert.equal(
              before.map(({ type, why }) => `${type}: ${why}`),
              ['snapshot: may be running on another machine', 'volume: may be running on another machine'],
            );
            const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
            const ec2 = new EC2Client({ endpoint: moto.endpoint, region: 'us-east-1', credentials });
            await ec2.send(new TerminateInstancesCommand({ InstanceIds: [host] }));
            assert.equal(
              (await gc()).map(({ type, why, deleted }) => `${type}: ${why}, ${deleted}`),
              [`snapshot: ${host} was terminated, true`, `volume: ${host} was terminated, true`],
            );
          } finally {
            assert.match(await moto.stop(), 'left: [] []');
          }
        }),
      60_000,
    );

    test(
      'takes the blocks of a pushed image by EBS direct, and gives them back to a pull',
      () =>
        inFolder({}, async (folder) => {
          const moto = await startMoto(folder);
          try {
            const there = ['--endpoint', moto.endpoint, '--format', 'json'];
            const tiny = finished(await run(['run', join(repository, 'bench/tiny.yml'), '--cloud', 'local', '--format', 'json'], { folder, env }));
            const { image_id: own } = tiny['outputs'] as { image_id: string };
            const pushed = await run(['push', own, ...there], { folder, env });
            assert.is(pushed.code, 0, pushed.stdout + pushed.stderr);
            const { image_id: sent } = finished(pushed)['outputs'] as { image_id: string };
            const elsewhere = join(folder, 'elsewhere');
            const pulled = await run(['pull', sent, ...there, '--state', elsewhere], { folder, env });
            assert.is(pulled.code, 0, pulled.stdout + pulled.stderr);
            const { image_id: back } = finished(pulled)['outputs'] as { image_id: string };
            assert.ok(await areEqual(diskOf(join(folder, 'state'), 'local-1', own), diskOf(elsewhere, 'us-east-1', back)));
          } finally {
            assert.match(await moto.stop(), 'left: [] []');
          }
        }),
      60_000,
    );

    test(
      'a build that fails is taken back from it; one in another region does not begin',
      () =>
        inFolder({}, async (folder) => {
          const moto = await startMoto(folder);
          try {
            writeFileSync(
              join(folder, 'r.yml'),
              `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  fail: {run: "test -b {{ disk.device }} && exit 7"}
`,
            );
            const cloud = ['--cloud', 'aws', '--endpoint', moto.endpoint];
            const ended = await run(['run', 'r.yml', ...cloud, '--format', 'json'], { folder, env });
            assert.equal([ended.code, finished(ended)['left']], [1, []], ended.stdout);
            assert.match(ended.stdout, 'exit code 7');
            const elsewhere = await run(['run', 'r.yml', ...cloud, '--region', 'eu-west-1'], { folder, env });
            assert.is(elsewhere.code, 1);
            assert.match(elsewhere.stdout + elsewhere.stderr, 'this machine is in us-east-1, but the region of the recipe is eu-west-1');
          } finally {
            assert.match(await moto.stop(), 'left: [] []');
          }
        }),
      60_000,
    );
  },
  python === undefined ? 'CHROOTFILE_NEWEST_PYTHON names no Python with moto' : undefined,
);
