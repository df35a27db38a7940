import type { Command } from 'commander';

/** What a verb knows of the command line besides its own arguments and options. */
export interface CommandLine {
  /** This program's own words, from behind the verb on. */
  readonly words: readonly string[];
  /** The words behind `--`, which are the recipe's. */
  readonly passed: readonly string[];
  /** Sets the exit code. */
  exit(code: number): void;
  /** The program, with at least the verbs that words name. */
  programFor(words: readonly string[]): Promise<Command>;
}

/** Declares a verb in the program or in a group: its arguments, options and help, and what it does. */
export type Verb = (parent: Command, line: CommandLine) => void | Promise<void>;

/** Verbs in the order in which help lists them, each in a module that is loaded when the verb is named. */
export type Verbs = Readonly<Record<string, () => Promise<{ readonly verb: Verb }>>>;

/** Adds the verb that the first word names. Where it names none (help, a typo), all are added; loading them makes a start a quarter longer. */
export async function addVerbs(parent: Command, verbs: Verbs, line: CommandLine): Promise<void> {
  const [named = '', ...words] = line.words;
  const load = Object.hasOwn(verbs, named) ? verbs[named] : undefined;
  for (const each of load === undefined ? Object.values(verbs) : [load]) {
    const { verb } = await each();
    await verb(parent, { ...line, words });
  }
}
