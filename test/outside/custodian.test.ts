import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { repository } from '../support/program.js';
import { aws, deviceNamesFor, runProgram, type Server, withServer } from '../support/served.js';
import { suite } from '../support/suite.js';

const python = process.env['CHROOTFILE_NEWEST_PYTHON'] ?? '';

suite(
  'Cloud Custodian',
  (test) => {
    test(
      // It knows the regions of AWS alone.
      'finds snapshots, volumes and images by its filters, and tags, shares, copies, modifies and deletes just those',
      () =>
        withServer(async (server) => {
          const ok = (line: string) => lineOf(server, line);
          const made = await fill(ok);
          /** Runs a policy; gives the ids of what it found. */
          const policy = async (name: string) => {
            const output = join(server.folder, 'custodian');
            const command = ['run', '--region', 'eu-west-1', '--cache-period', '0', '--output-dir', output, '--policies', name];
            const ran = await runProgram([join(dirname(python), 'custodian'), ...command, join(repository, 'test/outside/custodian.yml')], server);
            assert.is(ran.code, 0, ran.stdout + ran.stderr);
            const found = JSON.parse(readFileSync(join(output, name, 'resources.json'), 'utf8')) as Record<string, string>[];
            // Snapshots have a volume, and volumes without a snapshot an empty one.
            return found.map((one) => one['ImageId'] || one['SnapshotId'] || one['VolumeId']).sort();
          };
          const ids = (...all: (string | undefined)[]) => all.sort();

          assert.equal(await policy('unused-snapshots'), ids(made.unused));
          assert.equal(await policy('copies-of-kept-snapshots'), ids(made.kept));
          assert.equal(await policy('delete-unused-snapshots'), ids(made.unused));
          const shared = `aws ec2 describe-snapshot-attribute --snapshot-id ${made.kept} --attribute createVolumePermission`;
          assert.is(await ok(`${shared} --query "CreateVolumePermissions[].UserId"`), '111111111111');
          assert.is(
            await ok('aws ec2 describe-snapshots --region eu-west-2 --owner-ids self --query "Snapshots[].[Encrypted,KmsKeyId,Tags[0].Key]"'),
            'True\talias/there\tkeep',
          );

          assert.equal(await policy('slow-volumes'), ids(made.slow));
          assert.is(await ok(`aws ec2 describe-volumes --volume-ids ${made.slow} --query "Volumes[].[VolumeType,Size]"`), 'gp3\t4');
          assert.equal(await policy('snapshots-of-kept-volumes'), ids(made.keptVolume));
          const byCustodian = 'aws ec2 describe-snapshots --filters "Name=description,Values=by custodian"';
          assert.is(await ok(`${byCustodian} --query "Snapshots[].[VolumeId,Tags[?Key=='keep'].Value|[0]]"`), `${made.keptVolume}\tyes`);
          assert.equal(await policy('volumes-in-use'), ids(made.attached));
          assert.is(await ok(`aws ec2 describe-volumes --volume-ids ${made.attached} --query "Volumes[].State"`), 'available');
          assert.equal(await policy('delete-unattached-volumes'), ids(made.volume));
          assert.equal(await policy('delete-marked-volumes'), ids(made.attached));
          assert.equal((await ok('aws ec2 describe-volumes --query "Volumes[].VolumeId"')).split('\t').sort(), ids(made.slow, made.keptVolume));

          assert.equal(await policy('shared-images'), ids(made.second));
          assert.is(
            await ok(`aws ec2 describe-image-attribute --image-id ${made.second} --attribute launchPermission --query "length(LaunchPermissions)"`),
            '0',
          );
          assert.equal(await policy('images-to-copy'), ids(made.first));
          assert.is(
            await ok('aws ec2 describe-images --region eu-west-2 --owners self --query "Images[].[Name,BlockDeviceMappings[0].Ebs.Encrypted]"'),
            'copied\tTrue',
          );
          assert.equal(await policy('old-images'), ids(made.second));
          assert.is(await ok('aws ec2 describe-images --owners self --query "Images[].[ImageId,DeprecationTime!=null]"'), `${made.first}\tTrue`);
          assert.equal(
            (await ok('aws ec2 describe-snapshots --owner-ids self --query "Snapshots[?Description!=\'by custodian\'].SnapshotId"')).split('\t').sort(),
            ids(made.kept, made.ofFirst),
          );
        }, 'eu-west-1'),
      240_000,
    );
  },
  python === '' ? 'CHROOTFILE_NEWEST_PYTHON names no Python with c7n' : undefined,
);

/** What a line of the AWS command line prints; it must succeed. */
async function lineOf(server: Server, line: string): Promise<string> {
  const { code, text, error } = await aws(server, `export AWS_DEFAULT_OUTPUT=text; ${line}`);
  assert.is(code, 0, `${line}\n${error}`);
  return text;
}

/** Volumes, snapshots and images for the policies; gives their ids. */
async function fill(ok: (line: string) => Promise<string>) {
  const keep = (type: string) => `--tag-specifications "ResourceType=${type},Tags=[{Key=keep,Value=yes}]"`;
  const create = (more: string) => ok(`aws ec2 create-volume --availability-zone eu-west-1a --volume-type gp3 ${more} --query VolumeId`);
  const volume = await create('--size 1');
  const slow = await create('--size 2 --volume-type gp2');
  const keptVolume = await create(`--size 1 ${keep('volume')}`);
  const attached = await create('--size 1');
  const instance = await ok('aws ec2 describe-instances --query "Reservations[].Instances[].InstanceId"');
  await ok(`aws ec2 attach-volume --volume-id ${attached} --instance-id ${instance} --device ${deviceNamesFor(attached).device}`);
  const snapshot = (more = '') => ok(`aws ec2 create-snapshot --volume-id ${volume} ${more} --query SnapshotId`);
  const [unused, kept, ofFirst, ofSecond] = [await snapshot(), await snapshot(keep('snapshot')), await snapshot(), await snapshot()];
  const register = (name: string, of: string) =>
    ok(
      `aws ec2 register-image --name "${name}" --description "the ${name.split(' ')[0]}" --root-device-name /dev/xvda --architecture x86_64 --virtualization-type hvm --block-device-mappings "DeviceName=/dev/xvda,Ebs={SnapshotId=${of}}" --query ImageId`,
    );
  const [first, second] = [await register('first image', ofFirst), await register('second image', ofSecond)];
  await ok(`aws ec2 modify-image-attribute --image-id ${second} --launch-permission "Add=[{UserId=111111111111}]"`);
  return { volume, slow, keptVolume, attached, unused, kept, ofFirst, first, second };
}
