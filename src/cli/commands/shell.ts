import { Option } from 'commander';
import { shellWord } from '../../linux/shell_quote.js';
import { commandToType } from '../../runtime/runs/command_to_type.js';
import { ExitError, exits } from '../exit_codes.js';
import { prepareShell } from '../prepared_run.js';
import { fileAndTasks } from '../recipe_file.js';
import { mustBeRoot, statePath, usualUmask } from '../state.js';
import { hasPerson } from '../terminal/output.js';
import { addCloudOptions, inputOption, inputsOption, stateOption, type Verb } from '../verbs.js';
import { fromLauncher, start } from './run.js';

/** Declares `chrootfile shell`. */
export const verb: Verb = (program, { passed, exit }) => {
  const command = program
    .command('shell')
    .description('open a shell where a task runs, before it or after it; what the run made is deleted when the shell ends')
    .usage('[options] [recipe] <task> [-- arguments...]')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then the task')
    .addOption(new Option('--after', 'open it after the task instead of before it').default(false))
    .addOption(new Option('--cache', 'use layers of earlier runs, even if the recipe has no "cache"'))
    .addOption(new Option('--no-cache', 'use no layers'))
    .addOption(inputOption())
    .addOption(inputsOption());
  addCloudOptions(command)
    .addOption(stateOption())
    .addHelpText('after', '\nExamples:\n  sudo chrootfile shell recipes/base.yml grub\n  sudo chrootfile shell recipes/base.yml grub --after')
    .action(async (given: string[], options) => {
      const { file, tasks } = fileAndTasks(given);
      const [task, ...more] = tasks;
      if (task === undefined || more.length > 0) {
        const count = task === undefined ? 'none is given' : `${tasks.length} are given: ${tasks.join(', ')}`;
        throw new ExitError(
          exits.invalid,
          `shell needs one task, and ${count}\n  help: ${commandToType(statePath(options.state), `shell ${shellWord(file)} TASK`)}`,
        );
      }
      const whole = { ...defaults, ...options, arguments: passed, ...fromLauncher() };
      const prepared = prepareShell(file, task, options.after, whole);
      const words = ['shell', file, task, ...(options.after ? ['--after'] : [])].map(shellWord).join(' ');
      mustBeRoot('shell needs root: it mounts file systems, attaches volumes and enters chroots', words, options.state);
      if (!hasPerson()) throw new ExitError(exits.host, 'shell needs a terminal, for its input and its output');
      process.umask(usualUmask);
      exit(await start(file, prepared, whole));
    });
};

/** The options of `chrootfile run` that `shell` does not have. */
const defaults = {
  discards: true,
  keepGoing: false,
  force: false,
  refresh: [],
  onFailure: 'undo',
  step: false,
  format: 'auto',
  verbose: false,
  quiet: false,
} as const;
