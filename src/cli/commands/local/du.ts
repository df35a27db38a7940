import { statSync } from 'node:fs';
import { bytesOf } from '../../../local/loop_devices.js';
import { openLocalEc2 } from '../../embedded_ec2.js';
import { sizeText } from '../../requirements.js';
import { sharedBytesOf } from '../../shared_blocks.js';
import { stateFolder } from '../../state.js';
import { print, printJson, table } from '../../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local du`. */
export const verb: Verb = (local) => {
  local
    .command('du')
    .description('show how much space snapshots and volumes take')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local du\n\nSIZE is the size of the disk. ON DISK is what its file takes. SHARED is how much of that is in blocks\nthat it shares with other disks of a copy-on-write file system: they count for each of the disks.',
    )
    .action(async (options) => diskUsage(options.state, options.json));
};

/** `chrootfile local du`: the size of each disk, and the space its sparse file takes. */
async function diskUsage(folder: string | undefined, json: boolean): Promise<void> {
  const ec2 = await openLocalEc2(stateFolder(folder, 'change'));
  const disks = ec2.regions.flatMap((region) => {
    const store = ec2.storeOf(region);
    return [...store.list('volumes'), ...store.list('snapshots')].map(({ id }) => ({ id, region, disk: store.diskOf(id) }));
  });
  const rows: { id: string; region: string; bytes: number; bytes_on_disk: number; bytes_shared: number | undefined }[] = [];
  for (const { id, region, disk } of disks) {
    const bytes = statSync(disk, { throwIfNoEntry: false })?.size ?? 0;
    rows.push({ id, region, bytes, bytes_on_disk: bytesOf(disk), bytes_shared: await sharedBytesOf(disk) });
  }
  const total = rows.reduce((sum, row) => ({ bytes: sum.bytes + row.bytes, bytes_on_disk: sum.bytes_on_disk + row.bytes_on_disk }), {
    bytes: 0,
    bytes_on_disk: 0,
  });
  if (json) return printJson({ version: 1, disks: rows, total });
  if (rows.length === 0) return print('no snapshots or volumes');
  print(
    ...table([
      ['ID', 'REGION', 'SIZE', 'ON DISK', 'SHARED'],
      ...rows.map(({ id, region, bytes, bytes_on_disk, bytes_shared }) => [
        id,
        region,
        sizeText(bytes),
        sizeText(bytes_on_disk),
        bytes_shared === undefined ? '?' : sizeText(bytes_shared),
      ]),
      ['total', '', sizeText(total.bytes), sizeText(total.bytes_on_disk)],
    ]),
  );
}
