import { regionsIn } from '../../local/store.js';
import { localEc2, localFolder } from '../embedded_ec2.js';
import { ExitError, exits } from '../exit_codes.js';
import { addTransferOptions, type TransferOptions, transfer } from '../image_transfer.js';
import { statePath } from '../state.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile push`. */
export const verb: Verb = (program, { exit }) => {
  const command = program.command('push').description('copy an image of the embedded EC2 to EC2').argument('<ami>', 'id of the image');
  addTransferOptions(command)
    .addHelpText(
      'after',
      '\nOnly the difference is sent if the image descends from one that was pulled or pushed before.\n\nExamples:\n  sudo chrootfile push ami-0123456789abcdef0 --region eu-west-1\n  sudo chrootfile push ami-0123456789abcdef0 --region eu-west-1 --name web-1',
    )
    .action(async (ami: string, options) => exit(await push(ami, options)));
};

/** `chrootfile push`: finds the region of the image, then sends it; returns the exit code. */
async function push(ami: string, options: TransferOptions): Promise<number> {
  const state = statePath(options.state);
  const from = regionsIn(localFolder(state)).find((region) => localEc2(state, region).store.get('images', ami) !== undefined);
  if (from === undefined) throw new ExitError(exits.invalid, `the embedded EC2 has no image ${ami}\n  help: list its images with chrootfile local images`);
  return transfer('push', [`image=${ami}`, `from=${from}`], options);
}
