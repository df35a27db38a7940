import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { KindDeclaration } from '../dsl/recipe/kind.js';
import { systemProgram } from '../linux/command.js';
import { kinds } from '../tasks/index.js';
import { ExitError, exits } from './exit_codes.js';

/** A program of the host, and the Debian package that has it. */
export interface Tool {
  readonly program: string;
  readonly package: string;
  /** Whether scripts of the host run it: they look in PATH. */
  readonly onPath?: boolean;
}

/** A program that only some recipes or commands need. */
export interface OptionalTool extends Tool {
  /** What needs it, as words after "for". */
  readonly use: string;
}

/** What every run needs. */
export const runTools: readonly Tool[] = [
  { program: 'setpriv', package: 'util-linux' },
  { program: 'unshare', package: 'util-linux' },
  { program: 'mkfifo', package: 'coreutils' },
];

/** What the embedded EC2 needs. */
export const localTools: readonly Tool[] = [
  { program: 'setpriv', package: 'util-linux' },
  { program: 'losetup', package: 'mount' },
  { program: 'partx', package: 'util-linux' },
  { program: 'blockdev', package: 'util-linux' },
  { program: 'cp', package: 'coreutils' },
];

/** Programs that scripts of the host often run. */
export const scriptTools: readonly OptionalTool[] = Object.entries({ mmdebstrap: 'mmdebstrap', debootstrap: 'debootstrap', 'ansible-playbook': 'ansible' }).map(
  ([program, from]) => ({ program, package: from, onPath: true, use: 'scripts that run it' }),
);

export const interactiveTool: OptionalTool = { program: 'script', package: 'bsdutils', use: 'tasks with "interactive"' };
export const qcow2Tool: OptionalTool = { program: 'qemu-img', package: 'qemu-utils', use: '"local export" to qcow2' };

const declared: readonly KindDeclaration[] = kinds;
const kindTools = declared.flatMap(({ tools }) => toolList(tools));
/** By values of parameters. */
const valueTools: readonly OptionalTool[] = declared.flatMap(({ name, params, toolsFor }) =>
  Object.entries(params.properties).flatMap(([parameter, schema]) => {
    const values = typeof schema === 'object' && 'enum' in schema ? (schema.enum as readonly unknown[]) : [];
    return values.flatMap((value) =>
      toolList(toolsFor?.({ [parameter]: value }) ?? {}).map((tool) => ({ ...tool, use: `${name} with ${parameter} ${value}` })),
    );
  }),
);
// Where a package is needed anyway, all its programs are there, or it is damaged.
const packages = new Set([...runTools, ...localTools, ...kindTools].map((tool) => tool.package));

/** What a host needs that builds disk images. */
export const requiredTools: readonly Tool[] = [...runTools, ...localTools, ...kindTools, ...valueTools.filter((tool) => packages.has(tool.package))];

export const optionalTools: readonly OptionalTool[] = [...valueTools.filter((tool) => !packages.has(tool.package)), ...scriptTools, interactiveTool, qcow2Tool];

/** The tools of a kind's declaration. */
export function toolList(tools: Readonly<Record<string, string>>): Tool[] {
  return Object.entries(tools).map(([program, from]) => ({ program, package: from }));
}

/** How to install tools. */
export function installing(tools: readonly Tool[]): string {
  return `apt-get install ${[...new Set(tools.map((tool) => tool.package))].join(' ')}`;
}

/** @throws ExitError with what to install, when this machine lacks any of the tools. */
export function mustHave(tools: readonly Tool[]): void {
  const missing = missingTools(tools);
  if (missing.length === 0) return;
  throw new ExitError(exits.host, `this machine lacks ${missing.map((tool) => tool.program).join(', ')}\n  help: ${installing(missing)}`);
}

/** Those of the tools that this machine lacks. */
export function missingTools<T extends Tool>(tools: readonly T[]): T[] {
  const unique = new Map(tools.map((tool) => [tool.program, tool]));
  return [...unique.values()].filter(({ program, onPath }) => (onPath ? !isOnPath(program) : systemProgram(program) === undefined));
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
