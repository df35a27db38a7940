import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ProgramCommand } from '../src/cli/usage.js';
import type { CommandLine, Verb } from '../src/cli/verbs.js';

// Writes what a package has besides the program, into dist/: the man page, from commander's definitions, and the
// completion scripts, from the program. `npm run build` must have run.

const program = 'bin/chrootfile';
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

writeFileSync('dist/chrootfile.1', await manual());
mkdirSync('dist/completions', { recursive: true });
for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join('dist/completions', `chrootfile.${shell}`), printed('completion', shell));

/** The man page, in roff's man macros. Source: man-pages(7), groff_man(7). */
async function manual(): Promise<string> {
  const help = printed('--help');
  const [, exits = ''] = /^Exit codes: (.*)/ms.exec(help) ?? [];
  const verbs = [
    ...(help
      .split(/^Commands:\n/m)[1]
      ?.split('\n\n')[0]
      ?.matchAll(/^ {2}([a-z]+)/gm) ?? []),
  ].map(([, name = '']) => name);
  const commands = await Promise.all(verbs.filter((name) => name !== 'help').map(declared));
  return `${[
    `.TH CHROOTFILE 1 "" "chrootfile ${version}" "User Commands"`,
    '.SH NAME',
    'chrootfile \\- bake EC2 machine images by the chroot method from a recipe of tasks',
    '.SH SYNOPSIS',
    '.B chrootfile\n.I command\n.RI [ options ]\n.RI [ arguments ]',
    '.SH DESCRIPTION',
    text(
      'Runs the tasks of a recipe, a YAML file, in the order of their dependencies: creates a volume, attaches and mounts it, runs scripts in a chroot on it, and creates a snapshot and an image from it. Before it changes anything, it records on disk how to undo the change, so a failure, signal or crash leaves nothing behind.',
    ),
    '.PP',
    text('Without an AWS account it works on an embedded EC2 on this machine. Most commands that change something need root.'),
    '.SH OPTIONS',
    ...term('-C <folder>', 'start in another folder; before or after the command'),
    ...term('-V, --version', 'output the version number'),
    ...term('-h, --help', 'display help for command'),
    '.SH COMMANDS',
    ...commands.flatMap((command) => sections(command)),
    '.SH EXIT STATUS',
    ...exitCodes(exits),
    '.SH ENVIRONMENT',
    ...term('CHROOTFILE_STATE', 'folder of runs and the embedded EC2; same as --state'),
    ...term('CHROOTFILE_NODE', 'the Node to run on; defaults to the first one in PATH that is 20.19 or newer'),
    ...term('CHROOTFILE_MFA_CODE', 'the code of an MFA device, if the AWS profile names one'),
    ...term('NO_COLOR, FORCE_COLOR', 'no colour, or colour although the output is not a terminal'),
    '.SH FILES',
    ...term('chrootfile.yml', 'the recipe that is used when none is named'),
    ...term('/var/lib/chrootfile', 'runs and the embedded EC2 of root'),
    ...term('~/.local/state/chrootfile', 'the same of another user, if it exists'),
    '.SH SEE ALSO',
    text('The pages in the docs folder of the package, and https://github.com/chrootfile/chrootfile'),
  ].join('\n')}\n`;
}

function printed(...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8' });
}

/** A command as its module declares it. */
async function declared(name: string): Promise<Command> {
  const parent = new ProgramCommand('chrootfile');
  const line: CommandLine = { words: [], passed: [], exit: () => {}, programFor: async () => parent };
  const { verb } = (await import(`../src/cli/commands/${name}.js`)) as { verb: Verb };
  await verb(parent, line);
  const command = parent.commands.find((each) => each.name() === name);
  if (command === undefined) throw new Error(`src/cli/commands/${name}.ts declares no command "${name}"`);
  return command;
}

function sections(command: Command, before = 'chrootfile'): string[] {
  const name = `${before} ${command.name()}`;
  const helper = command.createHelp();
  const subcommands = helper.visibleCommands(command).filter((each) => each.name() !== 'help');
  if (subcommands.length > 0) return subcommands.flatMap((each) => sections(each, name));
  return [
    `.SS ${escaped(`${name} ${command.usage()}`)}`,
    text(sentence(command.description())),
    ...helper.visibleArguments(command).flatMap((argument) => term(argument.name(), helper.argumentDescription(argument))),
    ...helper
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .flatMap((option) => term(option.flags, helper.optionDescription(option))),
    ...examplesOf(command),
  ];
}

/** The examples that stand below a command's options in its help. */
function examplesOf(command: Command): string[] {
  let help = '';
  command.configureOutput({ writeOut: (part) => (help += part) }).outputHelp();
  const [, lines] = /^Examples?:\n((?: {2}.*\n?)+)/m.exec(help) ?? [];
  return lines === undefined ? [] : ['.PP', 'Examples:', '.PP', '.EX', ...lines.trimEnd().split('\n').map(text), '.EE'];
}

/** The exit codes of the help, such as `0 succeeded; 1 a task failed`, as a list. */
function exitCodes(listed: string): string[] {
  const codes = listed.trim().replace(/\s+/g, ' ').replace(/\.$/, '').split('; ');
  return codes.flatMap((each) => {
    const [, code = '', meaning = ''] = /^([\d, ]+) (.*)$/.exec(each) ?? [];
    if (code === '') throw new Error(`not an exit code and its meaning: ${each}`);
    return term(code, meaning);
  });
}

function term(name: string, description: string): string[] {
  return ['.TP', `.B ${escaped(name)}`, text(description)];
}

function sentence(of: string): string {
  return `${of.charAt(0).toUpperCase()}${of.slice(1).replace(/\.$/, '')}.`;
}

/** A line of text: a dot or a quote at its beginning is not a request. */
function text(of: string): string {
  return escaped(of.replace(/\s*\n\s*/g, ' ')).replace(/^(?=[.'])/, '\\&');
}

function escaped(of: string): string {
  return of
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq');
}
