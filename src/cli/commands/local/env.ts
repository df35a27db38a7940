import { commandToType } from '../../../runtime/runs/command_to_type.js';
import { ExitError, exits } from '../../exit_codes.js';
import { liveNote } from '../../served_ec2.js';
import { stateFolder } from '../../state.js';
import { print, printJson } from '../../terminal/output.js';
import { jsonOption, stateOption, type Verb } from '../../verbs.js';

/** Declares `chrootfile local env`. */
export const verb: Verb = (local) => {
  local
    .command('env')
    .description('print environment variables for AWS clients of the served EC2: endpoint, access key, region')
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  eval "$(sudo chrootfile local env)"')
    .action((options) => printServedEnvironment(options.state, options.json));
};

/** `chrootfile local env`: prints what a shell evaluates so that AWS clients use the served EC2. */
function printServedEnvironment(folder: string | undefined, json: boolean): void {
  const state = stateFolder(folder);
  const note = liveNote(state);
  if (note === undefined) throw new ExitError(exits.invalid, `no EC2 is served from ${state}\n  help: sudo ${commandToType(state, 'local serve')}`);
  if (json) printJson(note.env);
  else print(...Object.entries(note.env).map(([name, value]) => `export ${name}=${value}`));
}
