import { homedir } from 'node:os';
import type { Command, Option } from 'commander';
import type { InputDeclaration } from '../../dsl/recipe/inputs.js';
import { isUnfinished, listRuns, type RunFolder, type RunSummary } from '../../runtime/runs/run_folder.js';
import { kinds } from '../../tasks/index.js';
import { ExitError } from '../exit_codes.js';
import { fileAndTasks, loadRecipe, outlineOf } from '../recipe_file.js';
import { closedIn, statePath } from '../state.js';
import { print } from '../terminal/output.js';
import type { Verb } from '../verbs.js';
import { enterFolders } from '../working_folder.js';
import { codes } from './explain.js';

/** Declares `chrootfile complete`, which the scripts of `chrootfile completion` call. */
export const verb: Verb = (program, { programFor }) => {
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const [before, current] = [words.slice(0, -1), words.at(-1) ?? ''];
      const isFolder = before.at(-1) === '-C' && !before.includes('--');
      const base = process.cwd();
      const own = entered(isFolder ? before.slice(0, -1) : before);
      if (own === undefined) return;
      const found = isFolder ? [folders] : candidates(await programFor(own), own, current);
      for (const { value, text = '' } of found) print(`${value}\t${value.startsWith(':') ? from(base) : text.replace(/\s+/g, ' ')}`);
    });
};

/** A word that fits at the cursor. */
interface Candidate {
  readonly value: string;
  readonly text?: string | undefined;
}

/** Asks the shell to offer names of files, or of folders, too. */
const files: Candidate = { value: ':files' };
const folders: Candidate = { value: ':folders' };

/** The words without those of `-C`, whose folders are entered; undefined where that fails. The shell has not expanded `~`. */
function entered(words: readonly string[]): string[] | undefined {
  try {
    return enterFolders(words.map((word) => word.replace(/^(-C)?~(?=\/|$)/, `$1${homedir()}`)));
  } catch (error) {
    if (error instanceof ExitError) return undefined;
    throw error;
  }
}

/** Where the shell finds the names of files: the folder of `-C`; empty for that of the shell. */
function from(base: string): string {
  return process.cwd() === base ? '' : process.cwd();
}

/**
 * The words that fit at the cursor, for the completion scripts, which print one a line, with a tab and a description. For
 * files and folders, the folder follows the tab. A recipe with errors offers nothing.
 */
function candidates(program: Command, before: readonly string[], current: string): Candidate[] {
  let command = program;
  let at = 0;
  for (; at < before.length; at += 1) {
    const sub = command.commands.find((each) => each.name() === before[at]);
    if (sub === undefined) break;
    command = sub;
  }
  if (['run', 'plan', 'shell', 'why'].includes(command.name()) && before.includes('--')) return [files];
  const { options, positional, open } = read(command, before.slice(at));
  if (open !== undefined) return ofOption(open, current, positional, options);
  if (current.startsWith('-')) {
    return command.options.filter((option) => !option.hidden).map((option) => ({ value: option.long ?? option.short ?? '', text: option.description }));
  }
  if (command.commands.length > 0)
    return positional.length > 0 ? [] : command.commands.filter(isShown).map((sub) => ({ value: sub.name(), text: sub.description() }));
  return ofArgument(command.name(), positional, options);
}

/** Separates options and their values from the other words; `open` is an option whose value comes next. */
function read(command: Command, words: readonly string[]): { options: Map<string, string>; positional: string[]; open?: Option } {
  const options = new Map<string, string>();
  const positional: string[] = [];
  let open: Option | undefined;
  for (const word of words) {
    if (open !== undefined) {
      options.set(open.attributeName(), word);
      open = undefined;
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ long, short }) => long === word || short === word);
      if (option?.required) open = option;
    } else positional.push(word);
  }
  return open === undefined ? { options, positional } : { options, positional, open };
}

function ofOption(option: Option, current: string, positional: readonly string[], options: ReadonlyMap<string, string>): Candidate[] {
  if (option.argChoices !== undefined) return option.argChoices.map((value) => ({ value }));
  switch (option.attributeName()) {
    case 'input':
      return inputsOf(fileAndTasks(positional).file, current);
    case 'resume':
      return runs(options, ({ state }) => state === 'paused');
    case 'inputs':
    case 'state':
      return [files];
    case 'refresh':
    case 'from':
      return tasksOf(fileAndTasks(positional).file);
    default:
      return [];
  }
}

function ofArgument(verb: string, positional: readonly string[], options: ReadonlyMap<string, string>): Candidate[] {
  switch (verb) {
    case 'run':
    case 'plan':
    case 'graph':
    case 'shell':
    case 'why':
      return [...(positional.length === 0 ? [files] : []), ...tasksOf(fileAndTasks(positional).file)];
    case 'check':
    case 'schema':
      return [files];
    case 'list':
    case 'init':
      return positional.length === 0 ? [files] : [];
    case 'undo':
      return positional.length === 0 ? runs(options, isUnfinished) : [];
    case 'destroy':
      return positional.length === 0 ? runs(options, ({ state }) => state === 'succeeded') : [];
    case 'logs':
      return positional.length === 0 ? runs(options) : logged(options, positional[0] ?? '');
    case 'kinds':
      return positional.length === 0 ? kinds.map(({ name, summary }) => ({ value: name, text: summary })) : [];
    case 'explain':
      return positional.length === 0 ? codes.map((value) => ({ value })) : [];
    case 'completion':
      return ['bash', 'zsh', 'fish'].map((value) => ({ value }));
    case 'export':
      return positional.length === 1 ? [files] : [];
    default:
      return [];
  }
}

function tasksOf(file: string): Candidate[] {
  try {
    const { tasks } = loadRecipe(file);
    const shown = [...tasks.values()].filter(({ task }) => !task.internal);
    return shown.map(({ id, task }) => ({ value: id, text: task.description ?? (task.action.type === 'kind' ? task.action.kind.summary : undefined) }));
  } catch {
    // The recipe may be unfinished.
    return [];
  }
}

function inputsOf(file: string, current: string): Candidate[] {
  let inputs: ReadonlyMap<string, InputDeclaration>;
  try {
    inputs = outlineOf(file).module.recipe.inputs;
  } catch {
    return [];
  }
  const [, name = ''] = /^([a-z0-9_]+)=/.exec(current) ?? [];
  const declared = inputs.get(name);
  if (declared === undefined) return [...inputs].map(([each, { description }]) => ({ value: `${each}=`, text: description }));
  const values = declared.enum ?? (declared.type === 'boolean' ? [true, false] : declared.default === undefined ? [] : [declared.default]);
  return values.map((value) => ({ value: `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}` }));
}

function runs(options: ReadonlyMap<string, string>, isWanted: (run: RunSummary) => boolean = () => true): Candidate[] {
  return runsIn(options)
    .map((run) => run.summary())
    .filter(isWanted)
    .reverse()
    .map(({ run, state, recipe }) => ({ value: run, text: `${state}, ${recipe}` }));
}

function logged(options: ReadonlyMap<string, string>, id: string): Candidate[] {
  const run = runsIn(options).find((each) => each.id.startsWith(id));
  return (run?.tasksLogged ?? []).map((value) => ({ value }));
}

/** The runs of the state folder, as far as this user may read it. */
function runsIn(options: ReadonlyMap<string, string>): RunFolder[] {
  const state = statePath(options.get('state'));
  return closedIn(state, 'read') === undefined ? listRuns(state) : [];
}

function isShown(command: Command): boolean {
  return !(command as Command & { _hidden?: boolean })._hidden;
}
