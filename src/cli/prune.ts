import { type Command, Option } from 'commander';
import { commandToType } from '../runtime/runs/command_to_type.js';
import { ExitError, exits } from './exit_codes.js';
import { stateFolder } from './state.js';
import { age, jsonOption, stateOption } from './verbs.js';

/** What a command `prune` is asked to delete. */
export interface PruneOptions {
  /** The state folder. */
  readonly state: string;
  /** Milliseconds. */
  readonly older?: number;
  /** How many or how much to keep. */
  readonly keep?: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** The texts of a command `prune`, and what it does. */
interface Prune {
  readonly description: string;
  /** What `--older` does. */
  readonly older: string;
  readonly keep: Option;
  readonly notes: string;
  /** Options for an example. */
  readonly example: string;
  prune(options: PruneOptions): Promise<void>;
}

/** Declares a command that deletes what is old or too much. */
export function addPrune(parent: Command, { description, older, keep, notes, example, prune }: Prune): void {
  const words = `${parent.name()} prune ${example}`;
  parent
    .command('prune')
    .description(description)
    .addOption(new Option('--older <age>', `${older}, e.g. 12h, 30d`).argParser(age))
    .addOption(keep)
    .addOption(new Option('-n, --dry-run', 'print what would be deleted, and delete nothing').default(false))
    .addOption(jsonOption())
    .addOption(stateOption())
    .addHelpText('after', `\n${notes}\n\nExamples:\n  sudo chrootfile ${words}\n  sudo chrootfile ${words} --dry-run`)
    // `--json` and `--state` may be written before `prune` too: then they are options of the parent.
    .action(async (_, command: Command) => {
      const given: PruneOptions = command.optsWithGlobals();
      const state = stateFolder(given.state, given.dryRun ? 'read' : 'change');
      if (given.older === undefined && given.keep === undefined)
        throw new ExitError(exits.invalid, `prune needs --older or --keep\n  help: ${commandToType(state, words)}`);
      await prune({ ...given, state });
    });
}
