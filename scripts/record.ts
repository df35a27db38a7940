import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import xterm from '@xterm/headless';

// Runs the first commands of a new user for real, as root on a terminal, and writes what they show to
// docs/recording.svg, which README.md shows. The frames are an animation; a viewer without animations shows the last.
// `npm run record` builds first.

const size = { columns: 80, rows: 24 };
/** Between two frames at least, and how long the last one is shown before it starts again. */
const [frameMs, lastMs] = [100, 8000];

interface Frame {
  readonly atMs: number;
  readonly rows: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), 'chrootfile-record-'));
try {
  const frames = await framesOf(record(folder));
  writeFileSync('docs/recording.svg', drawing(frames));
  console.log(`docs/recording.svg: ${frames.length} frames`);
} finally {
  rmSync(folder, { recursive: true });
}

/** Types and runs the commands on a terminal. Gives its output in parts, each with the time since the one before. */
function record(home: string): { afterMs: number; bytes: Buffer }[] {
  const commands = ['chrootfile init my-image && cd my-image', 'chrootfile check', 'sudo chrootfile run'];
  const typed = commands.map((command) => `sleep 0.6; printf '\\033[1m$ %s\\033[0m\\n' '${command}'\n${command}\n`).join('');
  writeFileSync(join(home, 'commands'), `sudo() { "$@"; }\nset -eu\nstty cols ${size.columns} rows ${size.rows}\n${typed}`);
  const { CI: _, NO_COLOR: __, ...environment } = process.env;
  // The usual state folder, as for a new user, but on a disk of its own.
  const own = 'mount -t tmpfs none /var/lib && exec "$@"';
  const { status, stdout } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', own, 'sh', 'script', '--quiet', '--return', '--log-out', 'output', '--log-timing', 'timing', '--command', 'bash commands'],
    {
      cwd: home,
      encoding: 'utf8',
      env: { ...environment, TERM: 'xterm-256color', PATH: `${resolve('bin')}:${environment['PATH']}`, CHROOTFILE_STATE: '' },
    },
  );
  if (status !== 0) throw new Error(`the recording failed:\n${stdout}`);
  // The first line of script's log is its own.
  const output = readFileSync(join(home, 'output'));
  let at = output.indexOf('\n') + 1;
  const timing = readFileSync(join(home, 'timing'), 'utf8').trim().split('\n');
  return timing.map((line) => {
    const [seconds = 0, count = 0] = line.split(' ').map(Number);
    at += count;
    return { afterMs: seconds * 1000, bytes: output.subarray(at - count, at) };
  });
}

/** What the terminal shows over time. */
async function framesOf(parts: readonly { afterMs: number; bytes: Buffer }[]): Promise<Frame[]> {
  const terminal = new xterm.Terminal({ cols: size.columns, rows: size.rows, convertEol: true, allowProposedApi: true });
  const frames: Frame[] = [];
  let now = 0;
  for (const [index, { afterMs, bytes }] of parts.entries()) {
    now += afterMs;
    await new Promise<void>((done) => terminal.write(bytes, done));
    const isLast = index === parts.length - 1;
    if (isLast || (parts[index + 1]?.afterMs ?? 0) >= 20) addFrame(frames, { atMs: now, rows: rowsOf(terminal) });
  }
  return frames;
}

/** Adds a frame where it shows something else than the one before; replaces that one where it was too short to see. */
function addFrame(frames: Frame[], frame: Frame): void {
  const before = frames.at(-1);
  if (before?.rows.join() === frame.rows.join()) return;
  if (before !== undefined && frame.atMs - before.atMs < frameMs) frames[frames.length - 1] = { ...frame, atMs: before.atMs };
  else frames.push(frame);
}

/** The rows on the screen as SVG: the text of cells that look alike is one tspan. */
function rowsOf(terminal: xterm.Terminal): string[] {
  const { active } = terminal.buffer;
  return Array.from({ length: size.rows }, (_, row) => {
    const line = active.getLine(active.viewportY + row);
    const runs: { look: string; text: string }[] = [];
    for (let column = 0; line !== undefined && column < size.columns; column += 1) {
      const cell = line.getCell(column);
      if (cell === undefined || cell.getWidth() === 0) continue;
      const look = [cell.isBold() ? 'b' : '', cell.isDim() ? 'd' : '', cell.isFgPalette() ? `c${cell.getFgColor() % 8}` : ''].filter(Boolean).join(' ');
      const text = cell.getChars() || ' ';
      const last = runs.at(-1);
      if (last?.look === look) last.text += text;
      else runs.push({ look, text });
    }
    return runs
      .map(({ look, text }) => (look === '' ? escaped(text) : `<tspan class="${look}">${escaped(text)}</tspan>`))
      .join('')
      .trimEnd();
  });
}

function drawing(frames: readonly Frame[]): string {
  const [width, height, line] = [size.columns * 8.4 + 32, size.rows * 18 + 32, 18];
  const begin = frames[0]?.atMs ?? 0;
  const all = (frames.at(-1)?.atMs ?? 0) - begin + lastMs;
  const percent = (frame: Frame | undefined) => (frame === undefined ? 100 : (100 * (frame.atMs - begin)) / all).toFixed(2);
  const shown = frames.map((frame, index) => {
    const [from, to] = [percent(frame), percent(frames[index + 1])];
    const hidden = index === 0 ? '' : '0%{visibility:hidden}';
    return `@keyframes f${index}{${hidden}${from}%{visibility:visible}${to === '100.00' ? '' : `${to}%{visibility:hidden}`}}#f${index}{animation-name:f${index}}`;
  });
  const groups = frames.map(({ rows }, index) => {
    const texts = rows.map((row, at) => (row === '' ? '' : `<text x="16" y="${16 + 14 + at * line}">${row}</text>`)).join('');
    return `<g id="f${index}"${index === frames.length - 1 ? ' class="last"' : ''}>${texts}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" xml:space="preserve">
<title>chrootfile init, check and run on a terminal</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d0d4da;white-space:pre}
.b{font-weight:bold}.d{opacity:.6}.c1{fill:#f2777a}.c2{fill:#8fc76b}.c3{fill:#e6b450}.c4{fill:#6ab0f3}.c5{fill:#c594c5}.c6{fill:#62b3b2}
g{visibility:hidden;animation-duration:${Math.round(all)}ms;animation-iteration-count:infinite;animation-timing-function:step-end}
.last{visibility:visible}
${shown.join('\n')}
</style>
<rect width="100%" height="100%" rx="8" fill="#1b1f26"/>
${groups.join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
