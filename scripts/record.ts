import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

// Runs the README's first commands for real, as root, and puts what they print into its recording. `npm run record`
// builds first.

const commands = ['chrootfile init my-image && cd my-image', 'chrootfile check', 'sudo chrootfile run', 'sudo chrootfile local images'];
const folder = mkdtempSync(join(tmpdir(), 'chrootfile-record-'));
try {
  const script = commands.map((command) => `printf '$ %s\\n' '${command}'\n${command}\necho\n`).join('');
  const { stdout, status } = spawnSync('bash', ['-euc', `exec 2>&1; sudo() { "$@"; }\n${script}`], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${resolve('bin')}:${process.env['PATH']}`, CHROOTFILE_STATE: join(folder, 'state'), NO_COLOR: '1' },
  });
  if (status !== 0) throw new Error(`the recording failed:\n${stdout}`);
  const readme = readFileSync('README.md', 'utf8');
  const recording = `<!-- recording: npm run record -->\n\`\`\`text\n${stdout.trimEnd().replaceAll(`${folder}/state`, '/var/lib/chrootfile')}\n\`\`\`\n<!-- end of recording -->`;
  writeFileSync(
    'README.md',
    readme.replace(/<!-- recording[\s\S]*<!-- end of recording -->/, () => recording),
  );
} finally {
  rmSync(folder, { recursive: true });
}
