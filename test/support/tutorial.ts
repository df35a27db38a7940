import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repository } from './program.js';

/**
 * Does what a page of the manual says, block by block: a block with a name after its language is written to that
 * file, `sh` is run, and `text` is what that must have printed, where … stands for anything.
 * @throws Error with the first block that does not do what the page says.
 */
export function follow(page: string, folder: string, env: Readonly<Record<string, string>>): { ran: number; compared: number } {
  let at = folder;
  let printed = '';
  const counts = { ran: 0, compared: 0 };
  for (const [, language = '', name, body = ''] of readFileSync(page, 'utf8').matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)) {
    if (name !== undefined) {
      mkdirSync(dirname(join(at, name)), { recursive: true });
      writeFileSync(join(at, name), body);
      if (body.startsWith('#!')) chmodSync(join(at, name), 0o755);
    } else if (language === 'sh') {
      // The tests are root already.
      const script = `sudo() { "$@"; }\n${body}pwd >&3\n`;
      const done = spawnSync('bash', ['-euc', `exec 3> "$0"; exec 2>&1\n${script}`, join(folder, 'pwd')], {
        cwd: at,
        encoding: 'utf8',
        env: { ...process.env, NO_COLOR: '1', CHROOTFILE: repository, PATH: `${repository}/bin:${process.env['PATH']}`, ...env },
      });
      printed = done.stdout;
      if (done.status !== 0) throw new Error(`exit code ${done.status}:\n${body}\n${printed}`);
      at = readFileSync(join(folder, 'pwd'), 'utf8').trim();
      counts.ran += 1;
    } else if (language === 'text') {
      if (!fits(body, printed)) throw new Error(`the page says\n${body}\nand it is\n${printed}`);
      counts.compared += 1;
    }
  }
  return counts;
}

function fits(expected: string, printed: string): boolean {
  const lines = expected.split('\n').slice(0, -1);
  const pattern = lines.map((line) => (line === '…' ? '(?:[^\\n]*\\n)*?' : `${line.split('…').map(escaped).join('[^\\n]*')}\\n`));
  return new RegExp(`^${pattern.join('')}$`).test(printed);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
