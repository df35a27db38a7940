import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Shell } from './command.js';
import { hostPolicy } from './policy.js';

/** A real pipe: one end for a child, the other read here. */
export interface Pipe {
  /** To be given to the child. */
  readonly writeEnd: number;
  /** Closes the write end here, once the child has it. */
  started(): void;
  /** Settles when nobody holds the write end any more, or after {@link destroy}. */
  readonly drained: Promise<void>;
  destroy(): void;
}

/** What becomes of what comes out of a pipe. */
export interface PipeOutput {
  write(chunk: Buffer): void;
  /** Nothing more comes. */
  end(): void;
}

/** Makes the output of a pipe, which gives its lines to `onLines`; `learn` is called before it looks at them. */
export type OutputMaker = (onLines: (lines: string[]) => void, learn?: () => void) => PipeOutput;

/**
 * Pipes by way of named ones. Node gives children sockets, and a socket cannot be opened again by its name:
 * `echo x > /dev/stderr` in a script would fail with ENXIO.
 */
export class PipeMaker {
  private readonly free: string[] = [];
  private made = 0;

  constructor(
    private readonly folder: string,
    private readonly shell: Shell,
    private readonly makeOutput: OutputMaker,
  ) {}

  /** Opens a pipe; `onLines` and `learn` as in {@link OutputMaker}. */
  async open(onLines: (lines: string[]) => void, learn?: () => void): Promise<Pipe> {
    const path = this.free.pop() ?? (await this.make());
    const [readEnd, writeEnd] = endsOf(path);
    const socket = new Socket({ fd: readEnd, readable: true, writable: false });
    const output = this.makeOutput(onLines, learn);
    // In parts: of all lines of a chunk at once, the garbage collector would make room for thousands.
    socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += hostPolicy.outputPart) output.write(chunk.subarray(at, at + hostPolicy.outputPart));
    });
    const drained = new Promise<void>((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        output.end();
        this.free.push(path);
        resolve();
      });
    });
    return { writeEnd, started: () => closeSync(writeEnd), drained, destroy: () => socket.destroy() };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes a few at once: a process start costs more than a pipe. */
  private async make(): Promise<string> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const paths = Array.from({ length: 4 }, () => join(this.folder, String(this.made++)));
    await this.shell.run(['mkfifo', '--mode=600', ...paths]);
    this.free.push(...paths.slice(1));
    return paths[0] as string;
  }
}

/** The reader first and without waiting; then the writer finds one and opens at once, in waiting mode for the child. */
function endsOf(path: string): [number, number] {
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return [readEnd, openSync(path, constants.O_WRONLY)];
  } catch (error) {
    closeSync(readEnd);
    throw error;
  }
}
