import { type Command, Option } from 'commander';
import type { CloudOptions } from './cloud.js';
import { fromLauncher, start } from './commands/run.js';
import { prepareRun } from './prepared_run.js';
import type { ReportFormat } from './reports/index.js';
import { mustBeRoot, usualUmask } from './state.js';
import { stateOption } from './verbs.js';

/** The options of `chrootfile pull` and `chrootfile push`. */
export interface TransferOptions extends CloudOptions {
  readonly state?: string;
  readonly name?: string;
  readonly format: ReportFormat;
  readonly quiet: boolean;
}

/** Adds the options that both have. */
export function addTransferOptions(command: Command): Command {
  return command
    .addOption(new Option('--name <name>', 'name of the copy (default: that of the image)'))
    .addOption(new Option('--region <region>', 'region of EC2 to use instead of the one in the environment'))
    .addOption(new Option('--profile <profile>', 'AWS profile to use'))
    .addOption(new Option('--endpoint <url>', 'EC2 endpoint to use'))
    .addOption(new Option('--format <format>', 'output format').choices(['auto', 'plain', 'json']).default('auto'))
    .addOption(new Option('--json', 'same as --format json: one event per line').implies({ format: 'json' }))
    .addOption(new Option('-q, --quiet', 'print only errors and outputs').default(false))
    .addOption(stateOption());
}

/** Runs a built-in library that copies an image, as a run with a journal; returns the exit code. */
export async function transfer(verb: 'pull' | 'push', input: readonly string[], options: TransferOptions): Promise<number> {
  mustBeRoot(`${verb} needs root: it works with disks of the embedded EC2`, `${verb} ${input[0]?.replace('image=', '')}`, options.state);
  process.umask(usualUmask);
  const named = options.name === undefined ? input : [...input, `ami_name=${options.name}`];
  const file = `chrootfile:${verb}`;
  const whole = { ...defaults, ...options, ...fromLauncher(), input: named, cloud: 'aws', volumes: 'direct' } as const;
  return start(file, prepareRun(file, [], whole), whole);
}

/** The options of `chrootfile run` that these do not have. */
const defaults = { inputs: [], arguments: [], keepGoing: false, force: false, refresh: [], onFailure: 'undo', step: false, verbose: false } as const;
