import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repository } from './program.js';

/** A command on a terminal of its own, with somebody who types. */
export class Terminal {
  private screen = '';
  private seen = 0;
  private readonly child;
  /** The exit code. */
  readonly ended: Promise<number | null>;

  constructor(command: string, folder: string) {
    this.child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
      cwd: folder,
      env: {
        ...process.env,
        CHROOTFILE_STATE: join(folder, 'state'),
        NO_COLOR: '1',
        TERM: 'dumb',
        SHELL: '/bin/sh',
        ENV: '',
        PATH: `${repository}/bin:${process.env['PATH']}`,
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.child.stdout.on('data', (chunk) => {
      // Without what moves the cursor or colours.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
      this.screen += String(chunk).replace(/\r|\u001b\[[0-9;?]*[A-Za-z]/g, '');
    });
    this.ended = new Promise((done) => this.child.on('close', done));
  }

  /** Waits for a line, or the end of a prompt, after all that was seen before; … stands for anything in a line. */
  async sees(text: string): Promise<void> {
    const pattern = new RegExp(
      text
        .split('…')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('[^\\n]*'),
    );
    for (let waited = 0; ; waited += 20) {
      const found = pattern.exec(this.screen.slice(this.seen));
      if (found !== null) {
        this.seen += found.index + found[0].length;
        return;
      }
      if (waited > 300_000) throw new Error(`"${text}" did not come; after what was seen there is:\n${this.screen.slice(this.seen)}`);
      await sleep(20);
    }
  }

  type(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  /** Sends Ctrl-C. */
  interrupt(): void {
    this.child.stdin.write('\u0003');
  }

  /** Sends Ctrl-D. */
  endOfFile(): void {
    this.child.stdin.write('\u0004');
  }

  /** Closes the terminal, as when its window is closed. */
  hangUp(): void {
    this.child.kill('SIGKILL');
  }

  /** Everything that came, from the beginning. */
  get text(): string {
    return this.screen;
  }
}

/**
 * Does what a transcript shows: `$ ` begins a command, what stands behind a prompt (`# ` or `? `) is typed there, and
 * every other line must come, in order. A line … stands for any lines.
 * @returns each command with its exit code and all it showed.
 */
export async function play(transcript: string, folder: string): Promise<{ command: string; code: number | null; text: string }[]> {
  const done: { command: string; code: number | null; text: string }[] = [];
  let open: { command: string; terminal: Terminal } | undefined;
  const end = async () => {
    if (open !== undefined) done.push({ command: open.command, code: await open.terminal.ended, text: open.terminal.text });
  };
  for (const line of transcript.trimEnd().split('\n')) {
    const [, command] = /^\$ (?:sudo )?(.*)/.exec(line) ?? [];
    const [, prompt, typed] = /^(\[.*(?:\] # |\? ))(.*)$/.exec(line) ?? [];
    if (command !== undefined) {
      await end();
      open = { command, terminal: new Terminal(command, folder) };
    } else if (prompt !== undefined) {
      await open?.terminal.sees(prompt);
      open?.terminal.type(typed ?? '');
    } else if (line !== '…') await open?.terminal.sees(line);
  }
  await end();
  return done;
}
