import { statSync } from 'node:fs';
import { Command, Help, type Option } from 'commander';
import { nearest } from '../dsl/diagnostics/suggest.js';
import { ExitError, exits } from './exit_codes.js';
import { plural } from './reports/lines.js';

/** A command of the program whose usage errors have exit code 2 and the form of all other errors. */
export class ProgramCommand extends Command {
  /** Commander makes subcommands by this. */
  override createCommand(name?: string): ProgramCommand {
    return new ProgramCommand(name);
  }

  override createHelp(): Help {
    return Object.assign(new ProgramHelp(), this.configureHelp());
  }

  /** Commander calls this for every usage error. */
  override error(message: string, { code = '' }: { readonly code?: string } = {}): never {
    const { what, help } = reworded(this, message, code);
    throw new ExitError(exits.invalid, `${what}\n  help: ${help}`);
  }
}

/** Help that prints no default of switches and lists: it is always false or empty. */
class ProgramHelp extends Help {
  override optionDescription(option: Option): string {
    const isEmpty = option.defaultValue === false || (Array.isArray(option.defaultValue) && option.defaultValue.length === 0);
    return isEmpty ? option.description : super.optionDescription(option);
  }
}

interface UsageError {
  readonly what: string;
  readonly help: string;
}

/** A usage error that commander found, reworded. Source of its texts: commander 14, lib/command.js. */
function reworded(command: Command, message: string, code: string): UsageError {
  const [first = '', second = ''] = Array.from(message.matchAll(/'([^']*)'/g), ([, text]) => text as string);
  const usage = `usage: ${pathOf(command)} ${command.usage()}`;
  switch (code) {
    case 'commander.unknownCommand':
      return unknownCommand(command, command.args[0] ?? first);
    case 'commander.unknownOption':
      return unknownOption(command, first);
    case 'commander.missingArgument':
      return { what: `missing argument <${first}>`, help: usage };
    case 'commander.optionMissingArgument':
      return { what: `option ${first} needs a value`, help: `${pathOf(command)} --help` };
    case 'commander.excessArguments': {
      const extra = command.args.slice(command.registeredArguments.length);
      // A command that does something itself also has others, as `layers` has `layers show`.
      if (command.commands.length > 0) return unknownCommand(command, extra[0] ?? first);
      return { what: `unexpected ${plural(extra.length, 'argument')} ${extra.map((word) => `"${word}"`).join(', ')}`, help: usage };
    }
    case 'commander.invalidArgument': {
      const [option, value] = message.startsWith('error: option') ? [first, second] : [`<${second}>`, first];
      const why = /\. (It must be .*|Allowed choices are .*)$/.exec(message)?.[1]?.replace(/\.$/, '') ?? '';
      return { what: `invalid value "${value}" for ${option}`, help: why.replace('It must be', 'write').replace('Allowed choices are', 'write one of') };
    }
    default:
      return { what: message.replace(/^error: /, ''), help: `${pathOf(command)} --help` };
  }
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Commands that delete or undo. They are proposed only for a word with the same letters, such as `destory`. */
const destructive = ['destroy', 'gc', 'undo', 'reset', 'detach', 'rm'];

/** Commands of other tools, and the chrootfile command that does the same. */
const foreign: Readonly<Record<string, string>> = {
  ...wordsFor('run', 'build', 'apply', 'up', 'bake', 'make', 'start', 'execute', 'exec', 'deploy', 'create', 'converge', 'playbook'),
  ...wordsFor('check', 'validate', 'lint', 'verify', 'test', 'syntax-check'),
  ...wordsFor('plan', 'preview', 'diff', 'dry-run'),
  ...wordsFor('list', 'ls', 'tasks', 'targets', 'show', 'inspect'),
  ...wordsFor('runs', 'ps', 'history', 'status', 'state'),
  ...wordsFor('destroy RUN', 'rm', 'remove', 'delete', 'down'),
  ...wordsFor('undo RUN', 'rollback', 'revert'),
  ...wordsFor('undo --all', 'clean', 'cleanup'),
  ...wordsFor('run --resume', 'resume', 'continue', 'retry'),
  ...wordsFor('run --on-failure shell', 'debug', 'shell', 'console'),
  ...wordsFor('init', 'new', 'scaffold'),
  ...wordsFor('kinds', 'types', 'modules', 'plugins'),
  ...wordsFor('--version', 'version'),
};

/** Commands of a group in other words, taken where the group has them. */
const foreignInGroup: Readonly<Record<string, string>> = {
  ...wordsFor('rm', 'delete', 'remove', 'deregister'),
  ...wordsFor('images', 'ls', 'list', 'amis'),
  ...wordsFor('serve', 'start', 'run', 'up'),
};

function wordsFor(ours: string, ...theirs: string[]): Record<string, string> {
  return Object.fromEntries(theirs.map((word) => [word, ours]));
}

function unknownCommand(command: Command, word: string): UsageError {
  const path = pathOf(command);
  const what = `unknown command "${command.parent === null ? word : `${command.name()} ${word}`}"`;
  const names = command.commands.map((each) => each.name());
  const own = command.parent === null ? foreign : foreignInGroup;
  const ours = Object.hasOwn(own, word) ? (own[word] as string) : undefined;
  if (ours !== undefined && (command.parent === null || names.includes(ours))) return { what, help: `write "${path} ${ours}"` };
  if (command.parent === null && ['fmt', 'format'].includes(word))
    return { what, help: 'chrootfile has no formatter; any YAML formatter works. "chrootfile check" validates recipes' };
  if (command.parent === null && (/\.ya?ml$/.test(word) || statSync(word, { throwIfNoEntry: false })?.isFile()))
    return { what, help: `write "${path} run ${word}"` };
  const near = nearest(
    word,
    names.filter((name) => !destructive.includes(name) || sorted(name) === sorted(word)),
  );
  if (near !== undefined) return { what, help: `did you mean "${near}"?` };
  return { what, help: command.parent === null ? `"${path} --help" lists the commands; "${path} run ${word}" runs a task` : `${path} --help` };
}

function sorted(word: string): string {
  return [...word].sort().join('');
}

/** Options of other tools, and the chrootfile option that does the same. */
const foreignOptions: Readonly<Record<string, string>> = {
  ...wordsFor('-i NAME=VALUE', 'var', 'extra-vars', 'set', 'e'),
  ...wordsFor('--inputs FILE', 'var-file', 'vars-file', 'env-file'),
  ...wordsFor('--on-failure WHAT', 'on-error'),
  ...wordsFor('--on-failure shell', 'debug'),
  ...wordsFor('--jobs N', 'parallel', 'parallelism', 'parallel-builds', 'concurrency', 'forks'),
  ...wordsFor('--format json', 'machine-readable', 'json', 'output'),
  ...wordsFor('--dry-run', 'check', 'dry', 'just-print', 'noop'),
  ...wordsFor('--keep-going', 'ignore-errors'),
  ...wordsFor('--version', 'version', 'v'),
  ...wordsFor('-C FOLDER', 'directory', 'dir', 'chdir', 'd'),
};

/** Options of other tools for which one writes an argument, or nothing. */
const withoutOption: Readonly<Record<string, string>> = {
  ...wordsFor('write the recipe without an option, e.g. chrootfile run base.yml', 'file', 'taskfile', 'makefile', 'recipe', 'template'),
  ...wordsFor('write the tasks after the recipe, e.g. chrootfile run base.yml image', 'only', 'target', 'tags', 'task'),
  ...wordsFor('remove it; chrootfile does not ask', 'auto-approve', 'yes', 'y'),
};

function unknownOption(command: Command, flag: string): UsageError {
  let root = command;
  while (root.parent !== null) root = root.parent;
  // Of `-var`, commander strips the `-v` that it knows.
  const written = (root as Command & { rawArgs: string[] }).rawArgs.find((word) => word.startsWith('-') && word.endsWith(flag.slice(1))) ?? flag;
  const what = `unknown option "${written.replace(/=.*/, '')}"`;
  const name = written.replace(/^-+/, '').replace(/=.*/, '');
  const argument = Object.hasOwn(withoutOption, name) ? withoutOption[name] : undefined;
  if (argument !== undefined) return { what, help: argument };
  const known = [...command.options, ...root.options].flatMap(({ long, short, hidden }) => (hidden ? [] : [long, short])).filter((each) => each !== undefined);
  const ours = Object.hasOwn(foreignOptions, name) ? (foreignOptions[name] as string) : undefined;
  if (ours !== undefined && known.includes(ours.split(' ')[0] as string)) return { what, help: `write ${ours}` };
  const near = nearest(
    `--${name}`,
    known.filter((each) => each.startsWith('--')),
  );
  return { what, help: near === undefined ? `${pathOf(command)} --help` : `did you mean "${near}"?` };
}
