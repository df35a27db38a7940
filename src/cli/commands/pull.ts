import { addTransferOptions, transfer } from '../image_transfer.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile pull`. */
export const verb: Verb = (program, { exit }) => {
  const command = program
    .command('pull')
    .description('copy an image from EC2 to the embedded EC2, to build on it or to boot it here')
    .argument('<ami>', 'id of the image');
  addTransferOptions(command)
    .addHelpText(
      'after',
      '\nThe image gets the same region in the embedded EC2. Blocks that this machine has already are not read again.\n\nExamples:\n  sudo chrootfile pull ami-0123456789abcdef0 --region eu-west-1\n  sudo chrootfile run --cloud local --region eu-west-1\n  sudo chrootfile local export ami-0fedcba9876543210 image.qcow2',
    )
    .action(async (ami: string, options) => exit(await transfer('pull', [`image=${ami}`], options)));
};
