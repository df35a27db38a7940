import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Shell } from './command.js';
import { hostPolicy } from './policy.js';

/** A pipe whose write end a child process gets. This process reads the other end. */
export interface Pipe {
  /** The descriptor to pass to the child. */
  readonly writeEnd: number;
  /** Closes the write end in this process, once the child has it. */
  started(): void;
  /** Resolves when no process holds the write end any more, or after {@link destroy}. */
  readonly drained: Promise<void>;
  destroy(): void;
}

/** Receives the output of a pipe. */
export interface PipeOutput {
  write(chunk: Buffer): void;
  /** Called when the output has ended. */
  end(): void;
}

/** What to do with the output of a pipe. */
export interface OutputHandlers {
  onLines(lines: string[]): void;
  /** Called before new output is processed. */
  learn?: (() => void) | undefined;
  /** Called when the output registers a secret. */
  onMask?: (() => void) | undefined;
}

/** Creates the receiver of a pipe's output. */
export type OutputMaker = (handlers: OutputHandlers) => PipeOutput;

/** Opens pipes as named pipes. Node gives children sockets, which cannot be opened by name: `echo x > /dev/stderr` in a script would fail with ENXIO. */
export class PipeMaker {
  private readonly free: string[] = [];
  private made = 0;

  constructor(
    private readonly folder: string,
    private readonly shell: Shell,
    private readonly makeOutput: OutputMaker,
  ) {}

  async open(handlers: OutputHandlers): Promise<Pipe> {
    const path = this.free.pop() ?? (await this.make());
    const [readEnd, writeEnd] = endsOf(path);
    const socket = new Socket({ fd: readEnd, readable: true, writable: false });
    const output = this.makeOutput(handlers);
    // Split large chunks: all lines of a chunk at once would make the garbage collector's memory grow.
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

  /** Creates several pipes at once, because starting a process takes longer than creating a pipe. */
  private async make(): Promise<string> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const paths = Array.from({ length: 4 }, () => join(this.folder, String(this.made++)));
    await this.shell.run(['mkfifo', '--mode=600', ...paths]);
    this.free.push(...paths.slice(1));
    return paths[0] as string;
  }
}

/** Opens the reader first and without blocking. The writer then opens at once, in blocking mode as children expect. */
function endsOf(path: string): [number, number] {
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return [readEnd, openSync(path, constants.O_WRONLY)];
  } catch (error) {
    closeSync(readEnd);
    throw error;
  }
}
