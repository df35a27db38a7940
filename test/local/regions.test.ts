import {
  CopyImageCommand,
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeregisterImageCommand,
  DescribeImageAttributeCommand,
  DescribeImagesCommand,
  DescribeRegionsCommand,
  DescribeSnapshotAttributeCommand,
  DescribeSnapshotsCommand,
  DisableEbsEncryptionByDefaultCommand,
  DisableImageDeprecationCommand,
  DisableImageDeregistrationProtectionCommand,
  EC2Client,
  EnableEbsEncryptionByDefaultCommand,
  EnableImageDeprecationCommand,
  EnableImageDeregistrationProtectionCommand,
  GetEbsEncryptionByDefaultCommand,
  type ImageAttributeName,
  ModifyImageAttributeCommand,
  ModifySnapshotAttributeCommand,
  RegisterImageCommand,
  waitUntilSnapshotCompleted,
} from '@aws-sdk/client-ec2';
import { AssumeRoleCommand, DecodeAuthorizationMessageCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import type { LocalEc2 } from '../../src/local/ec2.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

const [ours, theirs] = ['000000000000', '111111111111'];

function client(local: LocalEc2, region: string, account = ours, token?: string): EC2Client {
  return new EC2Client(config(local, region, account, token));
}

function config(local: LocalEc2, region: string, account = ours, token?: string) {
  const credentials = { accessKeyId: account, secretAccessKey: 'x', ...(token === undefined ? {} : { sessionToken: token }) };
  return { region, endpoint: 'http://ec2.invalid', credentials, requestHandler: local.requestHandler as never, maxAttempts: 1 };
}

/** EC2's code and words of a refusal. */
async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'no refusal',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

async function imageIn(ec2: EC2Client, name: string, volume: { Encrypted?: boolean; KmsKeyId?: string } = {}): Promise<{ image: string; snapshot: string }> {
  const { VolumeId } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: `${await ec2.config.region()}a`, Size: 1, ...volume }));
  const { SnapshotId: snapshot = '' } = await ec2.send(new CreateSnapshotCommand({ VolumeId }));
  await waitUntilSnapshotCompleted({ client: ec2, maxWaitTime: 600 }, { SnapshotIds: [snapshot] });
  const registration = {
    Name: `image-${name}`,
    RootDeviceName: '/dev/xvda',
    Architecture: 'x86_64',
    VirtualizationType: 'hvm',
    BootMode: 'uefi',
    UefiData: 'QQ==',
  } as const;
  const mapping = { DeviceName: '/dev/xvda', Ebs: { SnapshotId: snapshot } };
  const { ImageId: image = '' } = await ec2.send(new RegisterImageCommand({ ...registration, BlockDeviceMappings: [mapping] }));
  return { image, snapshot };
}

suite('regions and accounts of the embedded EC2', (test) => {
  test('copies go to other regions, keep what the image is, and are made once for a token', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [one, two] = [client(local, 'local-1'), client(local, 'local-2')];
      const names = (await one.send(new DescribeRegionsCommand({ Filters: [{ Name: 'region-name', Values: ['local-*'] }] }))).Regions;
      assert.equal(
        names?.map(({ RegionName }) => RegionName),
        ['local-1', 'local-2', 'local-3', 'local-4'],
      );
      const { image, snapshot } = await imageIn(one, 'a');
      assert.match(await refusal(two.send(new DescribeImagesCommand({ ImageIds: [image] }))), /^InvalidAMIID\.NotFound/);
      const want = { Name: 'image-a', SourceRegion: 'local-1', SourceImageId: image, ClientToken: 'once', Encrypted: true };
      const { ImageId: copy = '' } = await two.send(new CopyImageCommand(want));
      assert.is((await two.send(new CopyImageCommand(want))).ImageId, copy);
      assert.match(await refusal(two.send(new CopyImageCommand({ ...want, ClientToken: 'twice' }))), /^InvalidAMIName\.Duplicate/);
      assert.match(await refusal(two.send(new CopyImageCommand({ ...want, Name: 'image-b', SourceRegion: 'nowhere' }))), /^InvalidParameterValue/);
      assert.match(
        await refusal(two.send(new CopyImageCommand({ ...want, ClientToken: 'b', Name: 'image-b', Encrypted: false, KmsKeyId: 'k' }))),
        /^InvalidParameterDependency/,
      );
      const [found] = (await two.send(new DescribeImagesCommand({ ImageIds: [copy] }))).Images ?? [];
      assert.equal([found?.BootMode, found?.SourceImageId, found?.SourceImageRegion], ['uefi', image, 'local-1']);
      const own = found?.BlockDeviceMappings?.[0]?.Ebs;
      assert.not.equal(own?.SnapshotId, snapshot);
      assert.is(own?.Encrypted, true);
      const [described] = (await two.send(new DescribeSnapshotsCommand({ SnapshotIds: [own?.SnapshotId ?? ''] }))).Snapshots ?? [];
      assert.match(described?.Description ?? '', /^Copied for DestinationAmi ami-\w+ from SourceAmi ami-/);
      assert.match(described?.KmsKeyId ?? '', /^arn:aws:kms:local-2:000000000000:key\//);
      const { SnapshotId: third } = await client(local, 'local-3').send(new CopySnapshotCommand({ SourceRegion: 'local-1', SourceSnapshotId: snapshot }));
      assert.match(third ?? '', /^snap-/);
    }));

  test('others see what is shared with them, and change nothing of it', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const [mine, other] = [client(local, 'local-1'), client(local, 'local-1', theirs)];
      const { image, snapshot } = await imageIn(mine, 'a');
      assert.equal((await other.send(new DescribeImagesCommand({}))).Images, []);
      const add = { LaunchPermission: { Add: [{ UserId: theirs }] } };
      assert.match(await refusal(other.send(new ModifyImageAttributeCommand({ ImageId: image, ...add }))), /^InvalidAMIID\.NotFound/);
      await mine.send(new ModifyImageAttributeCommand({ ImageId: image, ...add }));
      const [seen] = (await other.send(new DescribeImagesCommand({ Owners: [ours] }))).Images ?? [];
      assert.equal([seen?.ImageId, seen?.OwnerId], [image, ours]);
      assert.equal((await other.send(new DescribeImagesCommand({ Owners: ['self'] }))).Images, []);
      for (const call of [new ModifyImageAttributeCommand({ ImageId: image, ...add }), new DeregisterImageCommand({ ImageId: image })]) {
        assert.match(await refusal(other.send(call as DeregisterImageCommand)), /^AuthFailure: Not authorized for images/);
      }
      assert.match(await refusal(other.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: snapshot }))), /^InvalidSnapshot\.NotFound/);
      await mine.send(new ModifySnapshotAttributeCommand({ SnapshotId: snapshot, CreateVolumePermission: { Add: [{ UserId: theirs }] } }));
      const shared = await mine.send(new DescribeSnapshotAttributeCommand({ SnapshotId: snapshot, Attribute: 'createVolumePermission' }));
      assert.equal(shared.CreateVolumePermissions, [{ UserId: theirs }]);
      assert.match((await other.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', SnapshotId: snapshot }))).VolumeId ?? '', /^vol-/);
      assert.match(await refusal(other.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }))), /^UnauthorizedOperation/);
      await mine.send(new ModifyImageAttributeCommand({ ImageId: image, LaunchPermission: { Remove: [{ UserId: theirs }] } }));
      assert.equal((await other.send(new DescribeImagesCommand({}))).Images, []);
    }));

  test('encryption: by default, by key, and against sharing', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const ec2 = client(local, 'local-1');
      const share = (image: string, permission: object) =>
        ec2.send(new ModifyImageAttributeCommand({ ImageId: image, LaunchPermission: { Add: [permission] } }));
      await ec2.send(new EnableEbsEncryptionByDefaultCommand({}));
      assert.is((await ec2.send(new GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault, true);
      assert.is((await client(local, 'local-2').send(new GetEbsEncryptionByDefaultCommand({}))).EbsEncryptionByDefault, false);
      const plain = await imageIn(ec2, 'a');
      assert.match(await refusal(share(plain.image, { UserId: theirs })), /AWS Managed CMK can't be shared/);
      await ec2.send(new DisableEbsEncryptionByDefaultCommand({}));
      const keyed = await imageIn(ec2, 'b', { Encrypted: true, KmsKeyId: 'alias/k' });
      await share(keyed.image, { UserId: theirs });
      assert.match(await refusal(share(keyed.image, { Group: 'all' })), /can't be shared/);
      const mapping = { DeviceName: '/dev/xvda', Ebs: { SnapshotId: plain.snapshot, Encrypted: false } };
      const again = new RegisterImageCommand({ Name: 'image-c', RootDeviceName: '/dev/xvda', BlockDeviceMappings: [mapping] });
      assert.match(await refusal(ec2.send(again)), /^InvalidBlockDeviceMapping: the encrypted flag cannot be specified/);
    }));

  test('attributes of images are told as they were set; a protected image stays', () =>
    inFolder({}, async (folder) => {
      const ec2 = client(localEc2(folder, 'local-1'), 'local-1');
      const { image: ImageId } = await imageIn(ec2, 'a');
      const told = async (Attribute: ImageAttributeName) => ec2.send(new DescribeImageAttributeCommand({ ImageId, Attribute }));
      assert.is((await told('uefiData')).UefiData?.Value, 'QQ==');
      assert.is((await told('bootMode')).BootMode?.Value, 'uefi');
      await ec2.send(new ModifyImageAttributeCommand({ ImageId, Description: { Value: 'better' } }));
      await ec2.send(new ModifyImageAttributeCommand({ ImageId, ImdsSupport: { Value: 'v2.0' } }));
      await ec2.send(new ModifyImageAttributeCommand({ ImageId, ProductCodes: ['abc'] }));
      await ec2.send(
        new ModifyImageAttributeCommand({ ImageId, Attribute: 'launchPermission', OperationType: 'add', UserGroups: ['all'], OrganizationArns: ['o'] }),
      );
      assert.is((await told('description')).Description?.Value, 'better');
      assert.is((await told('imdsSupport')).ImdsSupport?.Value, 'v2.0');
      assert.equal((await told('productCodes')).ProductCodes, [{ ProductCodeId: 'abc', ProductCodeType: 'marketplace' }]);
      assert.equal((await told('launchPermission')).LaunchPermissions, [{ Group: 'all' }, { OrganizationArn: 'o' }]);
      assert.is((await ec2.send(new DescribeImagesCommand({ Filters: [{ Name: 'is-public', Values: ['true'] }] }))).Images?.length, 1);
      for (const bad of [{ UserGroups: ['some'] }, { UserIds: ['me'] }, {}]) {
        assert.match(
          await refusal(ec2.send(new ModifyImageAttributeCommand({ ImageId, Attribute: 'launchPermission', OperationType: 'add', ...bad }))),
          /^Invalid/,
        );
      }
      assert.match(await refusal(ec2.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(0) }))), /must be in the future/);
      await ec2.send(new EnableImageDeprecationCommand({ ImageId, DeprecateAt: new Date(Date.now() + 60_000) }));
      assert.ok((await ec2.send(new DescribeImagesCommand({ ImageIds: [ImageId] }))).Images?.[0]?.DeprecationTime);
      await ec2.send(new DisableImageDeprecationCommand({ ImageId }));
      assert.is((await ec2.send(new EnableImageDeregistrationProtectionCommand({ ImageId, WithCooldown: false }))).Return, 'enabled');
      assert.match(await refusal(ec2.send(new DeregisterImageCommand({ ImageId }))), /^OperationNotPermitted/);
      await ec2.send(new DisableImageDeregistrationProtectionCommand({ ImageId }));
      await ec2.send(new EnableImageDeregistrationProtectionCommand({ ImageId, WithCooldown: true }));
      assert.match(await refusal(ec2.send(new DisableImageDeregistrationProtectionCommand({ ImageId }))), /24 hours/);
    }));

  test('STS tells who asks, gives roles, and decodes refusals; credentials end', () =>
    inFolder({}, async (folder) => {
      const local = localEc2(folder, 'local-1');
      const sts = new STSClient(config(local, 'local-1'));
      assert.is((await sts.send(new GetCallerIdentityCommand({}))).Account, ours);
      const role = { RoleArn: `arn:aws:iam::${theirs}:role/images`, RoleSessionName: 'x' };
      const { Credentials: keys } = await sts.send(new AssumeRoleCommand(role));
      assert.is(keys?.AccessKeyId, theirs);
      const there = new STSClient(config(local, 'local-1', keys?.AccessKeyId, keys?.SessionToken));
      assert.is((await there.send(new GetCallerIdentityCommand({}))).Account, theirs);
      assert.match(await refusal(sts.send(new AssumeRoleCommand({ ...role, SerialNumber: 'arn:aws:iam::000000000000:mfa/me' }))), /^AccessDenied/);
      assert.match(await refusal(sts.send(new DecodeAuthorizationMessageCommand({ EncodedMessage: 'x' }))), /^InvalidAuthorizationMessageException/);
      const old = client(local, 'local-1', ours, 'expires-1');
      assert.match(await refusal(old.send(new DescribeImagesCommand({}))), /^RequestExpired/);
    }));
});
