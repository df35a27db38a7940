import { basename } from 'node:path';

const defaultShell = ['/bin/sh', '-e'];

/** The shell that a task names. Otherwise the program in the script's `#!` line, with at most one argument, as in the kernel. */
export function shellFor(named: readonly string[] | undefined, text: string): readonly string[] {
  if (named !== undefined) return named;
  const [, program, argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*\S))?/.exec(text) ?? [];
  return program === undefined ? defaultShell : [program, ...(argument === undefined ? [] : [argument])];
}

/** The name of the program in a shell's words: `bash` in `/usr/bin/env bash`. */
export function shellName([program = '', argument = '']: readonly string[]): string {
  return basename(basename(program) === 'env' ? argument : program);
}

/** Whether a program reads the language of sh, maybe with more, and not Python or Perl. */
export function isShell(name: string): boolean {
  return ['sh', 'bash', 'dash', 'ksh', 'zsh', 'ash'].includes(name);
}
