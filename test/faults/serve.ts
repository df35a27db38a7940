import {
  AttachVolumeCommand,
  CopyImageCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  EC2Client,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2';
import { type Going, type Place, tail } from './place.js';
import type { Driven, Scenario } from './scenarios.js';

/** `local serve` under a small load of requests: what was answered must be there after the next start. */
export const serve: Scenario = {
  name: 'serve',
  summary: '`local serve`, while a client makes and deletes volumes, snapshots and images',
  prepare: async () => {},
  begin: async () => ['local', 'serve', '--port', '0', '--metadata-port', '0', '--json'],
  drive: async (place, args, env) => {
    const going = place.start(args, env);
    const at = await serverOf(going);
    const answered = new Set<string>();
    const known = new Set<string>();
    const refused = at !== undefined && (await load(at, attachedAs(place), answered, known).then(() => false, isAnswer));
    // Where nothing can be written any more, what was refused cannot be removed either.
    const checksRefused = refused && env['CHROOTFILE_FAULT'] !== 'EIO+';
    place.write('answered.json', JSON.stringify({ answered: [...answered], known: checksRefused ? [...known] : undefined } satisfies Answered));
    going.child.kill('SIGINT');
    return going.ended satisfies Promise<Driven>;
  },
  finish: async (place) => {
    const answered = JSON.parse(place.read('answered.json')) as Answered;
    const going = place.start(await serve.begin(place));
    const at = await serverOf(going);
    if (at === undefined) return [`the next start: ${tail(await going.ended)}`];
    const wrong = await deleteAll(at, answered).catch((error: Error) => [`the next start: ${error.name}: ${error.message}`]);
    going.child.kill('SIGINT');
    const { code } = await going.ended;
    return code === 0 ? wrong : [...wrong, `the next start: exit code ${code}`];
  },
};

/** What the server has answered. */
interface Answered {
  /** What must be there, as `REGION ID`. */
  readonly answered: readonly string[];
  /** Where a request was refused: all volumes and images that were made. What was refused must not be there. */
  readonly known?: readonly string[] | undefined;
}

/** Whether an error is what the server said, and not the loss of the connection. */
function isAnswer(error: { readonly $metadata?: { readonly httpStatusCode?: number } }): boolean {
  return error.$metadata?.httpStatusCode !== undefined;
}

/** Where a server answers, and what its clients are told by the environment. */
interface At {
  readonly endpoint: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where the server answers; undefined when it ended before. */
async function serverOf(going: Going): Promise<At | undefined> {
  let printed = '';
  going.child.stdout?.on('data', (text: string) => {
    printed += text;
  });
  return (await going.saw('"endpoint"')) ? (JSON.parse(printed) as At) : undefined;
}

/** A name for the device that no other worker and no host uses. */
function attachedAs({ folder }: Place): string {
  return `/dev/sd${'zyxwvuts'[Number(/\d+$/.exec(folder)?.[0] ?? 0) % 8]}`;
}

function clientOf({ endpoint, env }: At, region: string): EC2Client {
  const credentials = { accessKeyId: '000000000000', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' };
  return new EC2Client({ endpoint, region, credentials, maxAttempts: 1 });
}

/** Asks for things in order, until one request fails. @param answered gets what must be there from now on, as `REGION ID`. */
async function load(at: At, device: string, answered: Set<string>, known: Set<string>): Promise<void> {
  const made = (one: string) => {
    answered.add(one);
    known.add(one);
  };
  const [near, far] = [clientOf(at, 'local-1'), clientOf(at, 'local-2')];
  const { VolumeId = '' } = await near.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }));
  made(`local-1 ${VolumeId}`);
  const { Reservations } = await near.send(new DescribeInstancesCommand());
  const InstanceId = Reservations?.[0]?.Instances?.[0]?.InstanceId;
  await near.send(new AttachVolumeCommand({ VolumeId, InstanceId, Device: device }));
  const { SnapshotId = '' } = await near.send(new CreateSnapshotCommand({ VolumeId }));
  made(`local-1 ${SnapshotId}`);
  const mapping = { DeviceName: '/dev/xvda', Ebs: { SnapshotId } };
  const registration = { Name: 'served', RootDeviceName: '/dev/xvda', Architecture: 'x86_64' as const, BlockDeviceMappings: [mapping] };
  const { ImageId = '' } = await near.send(new RegisterImageCommand({ ...registration, VirtualizationType: 'hvm' }));
  made(`local-1 ${ImageId}`);
  const { ImageId: copy = '' } = await far.send(new CopyImageCommand({ Name: 'copied', SourceImageId: ImageId, SourceRegion: 'local-1' }));
  made(`local-2 ${copy}`);
  await near.send(new DetachVolumeCommand({ VolumeId }));
  answered.delete(`local-1 ${VolumeId}`);
  await near.send(new DeleteVolumeCommand({ VolumeId }));
  answered.delete(`local-2 ${copy}`);
  await far.send(new DeregisterImageCommand({ ImageId: copy }));
}

/** Deletes all there is; gives what is wrong with it, or missing. */
async function deleteAll(at: At, { answered, known }: Answered): Promise<string[]> {
  const found: string[] = [];
  for (const region of ['local-1', 'local-2']) {
    const ec2 = clientOf(at, region);
    const { Images = [] } = await ec2.send(new DescribeImagesCommand({ Owners: ['self'] }));
    for (const { ImageId } of Images) await ec2.send(new DeregisterImageCommand({ ImageId }));
    const { Snapshots = [] } = await ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }));
    for (const { SnapshotId } of Snapshots) await ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
    const { Volumes = [] } = await ec2.send(new DescribeVolumesCommand());
    for (const { VolumeId, State } of Volumes) {
      if (State === 'in-use') await ec2.send(new DetachVolumeCommand({ VolumeId }));
      await ec2.send(new DeleteVolumeCommand({ VolumeId }));
    }
    const ids = [...Images.map(({ ImageId }) => ImageId), ...Snapshots.map(({ SnapshotId }) => SnapshotId), ...Volumes.map(({ VolumeId }) => VolumeId)];
    found.push(...ids.map((id) => `${region} ${id}`));
  }
  const plain = (one: string) => one.replace(/[0-9a-f]{17}/, 'ID');
  return [
    ...answered.filter((one) => !found.includes(one)).map((one) => `answered and gone: ${plain(one)}`),
    ...found.filter((one) => known !== undefined && !one.includes(' snap-') && !known.includes(one)).map((one) => `refused and there: ${plain(one)}`),
  ];
}
