import { realpathSync } from 'node:fs';
import { relative } from 'node:path';

/** A workflow command, escaped. Source: GitHub Actions, "Workflow commands"; its toolkit, `command.ts`. */
export function command(name: string, properties: Readonly<Record<string, string | number | undefined>>, message: string): string {
  const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const given = Object.entries(properties).filter(([, value]) => value !== undefined);
  const list = given.map(([key, value]) => `${key}=${escaped(String(value)).replaceAll(':', '%3A').replaceAll(',', '%2C')}`).join(',');
  return `::${name}${list === '' ? '' : ` ${list}`}::${escaped(message)}`;
}

/** The path of a file as annotations need it: relative to the checked-out repository, wherever the command was started. */
export function inWorkspace(file: string): string {
  const { GITHUB_WORKSPACE: workspace } = process.env;
  if (!workspace) return file;
  try {
    const path = relative(realpathSync(workspace), realpathSync(file));
    return path.startsWith('../') ? file : path;
  } catch {
    // It is no file of the repository, but for example a library of chrootfile.
    return file;
  }
}
