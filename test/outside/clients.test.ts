import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ec2Actions, stsActions } from '../../src/local/api/served.js';
import { repository } from '../support/program.js';
import { aws, deviceNamesFor, runProgram, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

/** The Pythons that have AWS's clients: Debian's, and one with the newest of PyPI where it was made. */
const newest = process.env['CHROOTFILE_NEWEST_PYTHON'];
const pythons: Readonly<Record<string, string>> = { "Debian's": '/usr/bin/python3', ...(newest === undefined ? {} : { 'the newest': newest }) };

const actions = [...ec2Actions.keys(), ...stsActions.keys()];

suite('clients of AWS', (test) => {
  for (const [whose, python] of Object.entries(pythons)) {
    test(`a tour of EBS by ${whose} boto3`, () =>
      withServer(async (server) => {
        const { code, stdout, stderr } = await runProgram([python, join(repository, 'test/outside/ebs_tour.py'), server.endpoint], server);
        console.log(`\n${stdout}`);
        assert.is(code, 0, stderr);
      }));

    for (const client of ['boto3', 'awscli']) {
      test(
        `a tour of all ${actions.length} actions by ${whose} ${client}`,
        () =>
          withServer(async (server) => {
            const { code, stdout, stderr } = await runProgram([python, join(repository, 'test/outside/tour.py'), client, server.endpoint, ...actions], server);
            console.log(`\n${stdout}`);
            assert.is(code, 0, stderr);
          }),
        120_000,
      );
    }
  }

  test(
    'the AWS command line as people type it: wait, --filters, --query, pages, texts of errors',
    () =>
      withServer(
        async (server) => {
          const ok = async (line: string) => {
            const { code, text, error } = await aws(server, line);
            assert.is(code, 0, `${line}\n${error}`);
            return text;
          };
          const volume = await ok(
            'aws ec2 create-volume --availability-zone local-1a --size 1 --tag-specifications "ResourceType=volume,Tags=[{Key=Name,Value=data}]" --query VolumeId --output text',
          );
          assert.is(await ok(`aws ec2 describe-volumes --volume-ids ${volume} --query "Volumes[].State" --output text`), 'creating');
          await ok(`aws ec2 wait volume-available --volume-ids ${volume}`);
          const instance = await ok('aws ec2 describe-instances --query "Reservations[].Instances[].InstanceId" --output text');
          const { device, alias } = deviceNamesFor(volume);
          await ok(`aws ec2 attach-volume --volume-id ${volume} --instance-id ${instance} --device ${device}`);
          await ok(`aws ec2 wait volume-in-use --volume-ids ${volume}`);
          await ok(`mkfs.ext4 -q ${alias} && aws ec2 detach-volume --volume-id ${volume} && aws ec2 wait volume-available --volume-ids ${volume}`);
          const snapshot = await ok(`aws ec2 create-snapshot --volume-id ${volume} --description "all data" --query SnapshotId --output text`);
          await ok(`aws ec2 wait snapshot-completed --snapshot-ids ${snapshot}`);
          const image = await ok(
            `aws ec2 register-image --name data --root-device-name /dev/xvda --architecture x86_64 --virtualization-type hvm --block-device-mappings "DeviceName=/dev/xvda,Ebs={SnapshotId=${snapshot}}" --query ImageId --output text`,
          );
          await ok(`aws ec2 wait image-available --image-ids ${image}`);
          await ok(`aws ec2 wait image-exists --image-ids ${image}`);
          assert.is(await ok('aws ec2 describe-images --owners self --filters "Name=name,Values=da*" --query "Images[].ImageId" --output text'), image);
          assert.is(
            await ok('aws ec2 describe-volumes --filters Name=tag:Name,Values=data Name=status,Values=available --query "Volumes[0].VolumeId" --output text'),
            volume,
          );
          await ok('for i in 1 2 3 4 5 6 7; do aws ec2 create-volume --availability-zone local-1a --size 1 >/dev/null; done');
          // --page-size asks for pages and gives all; --max-items gives some, and a token to go on from.
          assert.is(await ok('aws ec2 describe-volumes --page-size 5 --query "length(Volumes)"'), '8');
          const some = JSON.parse(await ok('aws ec2 describe-volumes --max-items 6 --page-size 5 --output json')) as { Volumes: unknown[]; NextToken: string };
          const rest = JSON.parse(await ok(`aws ec2 describe-volumes --page-size 5 --starting-token ${some.NextToken} --output json`)) as {
            Volumes: unknown[];
          };
          assert.equal([some.Volumes.length, rest.Volumes.length], [6, 2]);
          const refusals: Readonly<Record<string, string>> = {
            [`aws ec2 delete-snapshot --snapshot-id ${snapshot}`]: `An error occurred (InvalidSnapshot.InUse) when calling the DeleteSnapshot operation: The snapshot ${snapshot} is currently in use by ${image}`,
            'aws ec2 describe-volumes --volume-ids vol-0123456789abcdef0':
              "An error occurred (InvalidVolume.NotFound) when calling the DescribeVolumes operation: The volume 'vol-0123456789abcdef0' does not exist.",
            'aws ec2 describe-images --image-ids ami-0123456789abcdef0':
              "An error occurred (InvalidAMIID.NotFound) when calling the DescribeImages operation: The image id '[ami-0123456789abcdef0]' does not exist",
            'aws ec2 run-instances --image-id ami-0123456789abcdef0': `An error occurred (NotImplemented) when calling the RunInstances operation: The embedded EC2 does not support the action RunInstances. It supports ${[...ec2Actions.keys()].sort().join(', ')}.`,
            'aws ec2 delete-volume --dry-run --volume-id $(aws ec2 describe-volumes --query "Volumes[0].VolumeId" --output text)':
              'An error occurred (DryRunOperation) when calling the DeleteVolume operation: Request would have succeeded, but DryRun flag is set.',
          };
          for (const [line, text] of Object.entries(refusals)) {
            const { code, error } = await aws(server, line);
            assert.equal([code, error], [254, text]);
          }
          // A waiter ends at once where what it waits for will never be.
          const never = await aws(server, 'aws ec2 wait snapshot-completed --snapshot-ids snap-0123456789abcdef0');
          assert.equal([never.code, never.error.includes('InvalidSnapshot.NotFound')], [255, true]);
        },
        'local-1',
        // Longer than the command line takes to start.
        { volume: 4000, snapshot: 4000 },
      ),
    180_000,
  );
});
