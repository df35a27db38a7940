import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { repository } from '../support/program.js';
import { aws, deviceNamesFor, runProgram, type Server, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

/** Plays a playbook of this folder; gives the counts of its tasks: without change, changed, failed. */
async function play(server: Server, playbook: string, variables: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const given = Object.entries({ endpoint: server.endpoint, ...variables }).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const command = ['ansible-playbook', '-i', 'localhost,', '-c', 'local', join(repository, 'test/outside', playbook), ...given];
  const env = { ANSIBLE_NOCOLOR: '1', ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3' };
  const { code, stdout, stderr } = await runProgram(command, server, env);
  assert.is(code, 0, stdout + stderr);
  const [, ...counts] = /ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)/.exec(stdout) ?? [];
  return counts;
}

suite("Ansible's modules for EC2", (test) => {
  test(
    'declare volumes, snapshots and images: made, found as they are, and deleted',
    () => withServer(async (server) => assert.equal(await play(server, 'ansible.yml'), ['15', '5', '0'])),
    180_000,
  );

  test(
    'attach, modify, copy, share and tag, and make an image of the instance',
    () =>
      withServer(async (server) => {
        // Somebody else may serve EC2 on this host too.
        const { device } = deviceNamesFor(randomBytes(8).toString('hex'));
        assert.equal(await play(server, 'ansible_tour.yml', { device }), ['38', '17', '0']);
        const asked = async (line: string) => {
          const { code, text, error } = await aws(server, `aws ec2 ${line} --output json`);
          assert.is(code, 0, error);
          return JSON.parse(text) as unknown;
        };
        const tags = "sort_by(Tags,&Key)[].join('=',[Key,Value])";
        assert.equal(await asked(`describe-volumes --query "Volumes[].[Size,VolumeType,Iops,Throughput,Encrypted,State,${tags}]"`), [
          [8, 'gp3', 4000, 250, true, 'available', ['Name=data', 'stage=test']],
        ]);
        assert.equal(await asked(`describe-snapshots --owner-ids self --query "Snapshots[].[Description,VolumeSize,Encrypted,${tags}]"`), [
          // The module gives it the name of the volume.
          ['of the device', 8, true, ['Name=data', 'stage=test', 'team=a']],
        ]);
        assert.equal(await asked('describe-images --owners self --query Images'), []);
        assert.equal(await asked('describe-tags --filters Name=resource-type,Values=instance --query Tags'), []);
        const copies = await asked(
          'describe-snapshots --region local-2 --owner-ids self --query "sort_by(Snapshots,&VolumeSize)[].[VolumeSize,Encrypted,Tags]"',
        );
        assert.equal(copies, [
          [1, false, null],
          [8, true, [{ Key: 'team', Value: 'b' }]],
        ]);
        assert.equal(await asked(`describe-images --region local-2 --owners self --query "Images[].[Name,State,${tags}]"`), [
          ['copied', 'available', ['team=c']],
        ]);
      }),
    180_000,
  );
});
