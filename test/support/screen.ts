import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import xterm from '@xterm/headless';
import { repository } from './program.js';

/** A command on a terminal of a given size, and what a person sees there: the text an emulator makes of its output. */
export class Screen {
  private readonly emulator;
  private readonly child;
  /** All that was written to the terminal. */
  written = '';
  /** The exit code. */
  readonly ended: Promise<number | null>;

  constructor(command: string, folder: string, { columns = 80, rows = 24, env = {} }: { columns?: number; rows?: number; env?: Record<string, string> } = {}) {
    this.emulator = new xterm.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
    this.child = spawn(
      'script',
      ['--quiet', '--return', '--flush', '--command', `tty > tty; stty cols ${columns} rows ${rows}; exec ${command}`, '/dev/null'],
      {
        cwd: folder,
        env: {
          ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !['CI', 'GITHUB_ACTIONS', 'FORCE_COLOR'].includes(name))),
          CHROOTFILE_STATE: join(folder, 'state'),
          NO_COLOR: '1',
          TERM: 'xterm-256color',
          PATH: `${repository}/bin:${process.env['PATH']}`,
          ...env,
        },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.child.stdout.on('data', (chunk) => {
      this.written += chunk;
      this.emulator.write(chunk);
    });
    this.ended = new Promise((done) => this.child.on('close', (code) => this.emulator.write('', () => done(code))));
  }

  /** The rows from the first that was ever written. */
  get lines(): string[] {
    const { active } = this.emulator.buffer;
    const lines = Array.from({ length: active.length }, (_, i) => active.getLine(i)?.translateToString(true) ?? '');
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
  }

  /** Whole lines, also those that the terminal wrapped, with what differs from run to run replaced. */
  get text(): string {
    const { active } = this.emulator.buffer;
    const wrapped = (line: string, i: number) => (active.getLine(i)?.isWrapped ? line : `\n${line}`);
    return `${this.lines.map(wrapped).join('').slice(1)}\n`
      .replace(/\d{8}-\d{6}-\w+-\w{4}/g, 'RUN')
      .replace(/ *\d+(\.\d)?s\b/g, ' TIME')
      .replace(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/g, '*');
  }

  /** How many rows continue a line that was longer than the terminal is wide. */
  get wrapped(): number {
    const { active } = this.emulator.buffer;
    return this.lines.filter((_, i) => active.getLine(i)?.isWrapped).length;
  }

  /** Waits until the screen shows a text. */
  async shows(pattern: RegExp): Promise<void> {
    for (let waited = 0; !pattern.test(this.text); waited += 10) {
      if (waited > 30_000) throw new Error(`${pattern} did not come:\n${this.text}`);
      await sleep(10);
    }
  }

  /** Waits until everything typed so far has been followed by a whole frame. */
  async redraws(): Promise<void> {
    const frames = () => this.written.split('\u001b[J').length;
    for (let more = 0; more < 2; more += 1) {
      const before = frames();
      while (frames() === before) await sleep(10);
    }
    await new Promise<void>((done) => this.emulator.write('', done));
  }

  resize(columns: number, rows: number): void {
    this.emulator.resize(columns, rows);
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }
}
