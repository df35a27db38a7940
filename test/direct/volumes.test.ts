import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { withDirect } from '../support/direct_runs.js';
import { heldBy } from '../support/ec2.js';
import { run, start } from '../support/program.js';
import { requestsOf } from '../support/served.js';
import { suite } from '../support/suite.js';

suite('direct volumes', (test) => {
  test('an empty volume is a disk of this machine: EC2 and the metadata service are not asked for it', () =>
    withDirect(async ({ server, run }) => {
      const ended = await run(`tasks:
  host: {uses: ec2.host}
  volume: {uses: ec2.volume, with: {size: 1, zone: nowhere}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  look: {run: 'test -b "{{ disk.device }}" && test "$(blockdev --getsize64 {{ disk.device }})" = 1073741824'}
outputs: {account: "{{ host.account_id }}", region: "{{ host.region }}"}
`);
      assert.is(ended.code, 0, ended.ended.stdout + ended.ended.stderr);
      assert.equal(ended.outputs, { account: '000000000000', region: 'eu-west-1' });
      assert.equal(
        requestsOf(server).map(({ action }) => action),
        ['GetCallerIdentity'],
      );
    }));

  test('auto attaches on an instance of the region, and is direct elsewhere; undo does as the run did', () =>
    withDirect(async ({ server, folder, env }) => {
      const tasks = 'tasks: {volume: {uses: ec2.volume, with: {size: 1}}, wait: {run: "test -z {{ volume.id }} || until [ -e go ]; do sleep 0.02; done"}}\n';
      writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\ncloud: {provider: aws, endpoint: "${server.endpoint}", volumes: auto}\n${tasks}`);
      const killedRun = async (own: Readonly<Record<string, string>>) => {
        const started = start(['run', 'r.yml', '--format', 'json'], { folder, env: own });
        await started.saw('"type":"task.started","task":"wait"');
        started.child.kill('SIGKILL');
        return (await started.ended).stderr;
      };
      const undo = () => run(['undo', '--all'], { folder, env });
      const created = () => requestsOf(server).filter(({ action }) => action === 'CreateVolume').length;

      assert.is(await killedRun(server.env), 'volumes: attach; this machine is an EC2 instance in eu-west-1\n');
      assert.equal([created(), heldBy(folder)], [1, []]);
      assert.is((await undo()).code, 0);
      assert.is(await killedRun(env), 'volumes: direct; this machine is not an EC2 instance in eu-west-1\n');
      assert.equal([created(), heldBy(folder).map((name) => name.replace(/vol-.*/, 'vol'))], [1, ['eu-west-1 volumes vol']]);
      const before = requestsOf(server).length;
      assert.is((await undo()).code, 0);
      assert.equal([heldBy(folder), requestsOf(server).length], [[], before]);
    }));
});
