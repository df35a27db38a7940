import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { removeFile } from '../../../linux/atomic_write.js';
import { hostShell } from '../../../linux/command.js';
import { isFilled } from '../../../local/api/copying.js';
import { regionsIn } from '../../../local/store.js';
import { commandToType } from '../../../runtime/runs/command_to_type.js';
import { localEc2, localFolder, openLocalEc2 } from '../../embedded_ec2.js';
import { ExitError, exits } from '../../exit_codes.js';
import { stateFolder } from '../../state.js';
import { print } from '../../terminal/output.js';
import { mustHave, qcow2Tool } from '../../tools.js';
import { stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local export`. */
export const verb: Verb = (local) => {
  local
    .command('export')
    .description('write the disk of an image to a file')
    .argument('<image>', 'id or name of the image')
    .argument('<file>', 'file to write: qcow2 if its name ends in .qcow2, else raw')
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  sudo chrootfile local export ami-0123456789abcdef0 base.img\n  sudo chrootfile local export base-1763799000 base.qcow2',
    )
    .action(async (image: string, file: string, options) => exportImage(image, file, options.state));
};

/** `chrootfile local export`: writes the disk of an image to a raw or qcow2 file. */
async function exportImage(image: string, file: string, folder: string | undefined): Promise<void> {
  if (file.endsWith('.qcow2')) mustHave([qcow2Tool]);
  const state = stateFolder(folder, 'change');
  await openLocalEc2(state);
  const disk = diskOfImage(state, image);
  const target = resolve(file);
  if (existsSync(target)) throw new ExitError(exits.invalid, `${file} already exists`);
  try {
    if (target.endsWith('.qcow2')) await hostShell.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', disk, target]);
    else await hostShell.run(['cp', '--reflink=auto', '--sparse=always', '--', disk, target]);
  } catch (error) {
    removeFile(target);
    throw error;
  }
  print(file);
}

function diskOfImage(state: string, image: string): string {
  for (const region of regionsIn(localFolder(state))) {
    const { store } = localEc2(state, region);
    const found = store.list('images').find((i) => i.id === image || i.name === image);
    const root = found?.mappings.find((mapping) => mapping.device === found.rootDevice);
    if (found !== undefined && !isFilled(found, store))
      throw new ExitError(exits.invalid, `image ${image} is not complete: its disks are still being copied, or the copy failed`);
    if (root !== undefined) return store.diskOf(root.snapshot ?? '');
  }
  throw new ExitError(exits.invalid, `unknown image "${image}"\n  help: ${commandToType(state, 'local images')}`);
}
