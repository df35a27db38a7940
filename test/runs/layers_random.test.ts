import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { diskOfImage, filesIn, filesOn, sourceImage, succeeding, withPool } from '../support/layers.js';
import { random } from '../support/random.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

/** Numbers that begin the chains; more of them find more, and take longer. */
const seeds = (process.env['CHROOTFILE_LAYER_SEEDS'] ?? '1,2').split(',').map(Number);
const editsOfEach = 12;

/** A task of a chain. */
interface Step {
  readonly name: string;
  readonly script: string;
  /** Whether a layer is made after it however little time it takes. */
  readonly layer: boolean;
}

/** Random chains of small scripts, each of which depends on what those before it left. */
class Chains {
  private names = 0;
  private readonly older: (readonly Step[])[] = [];
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = random(seed);
  }

  first(): readonly Step[] {
    return Array.from({ length: 4 }, () => this.step());
  }

  /** A chain with a small difference to another one, or one of those before. */
  edited(chain: readonly Step[]): readonly Step[] {
    this.older.push(chain);
    // Late ones more often: what is before them comes from a layer.
    const at = Math.max(this.below(chain.length), this.below(chain.length));
    const one = chain[at] as Step;
    switch (this.below(6)) {
      case 0:
        return chain.toSpliced(at, 0, this.step());
      case 1:
        return chain.length > 2 ? chain.toSpliced(at, 1) : chain;
      case 2:
        return [...chain.toSpliced(at, 1), one];
      case 3:
        return this.older[this.below(this.older.length)] as readonly Step[];
      default:
        return chain.with(at, { ...one, script: this.script() });
    }
  }

  /** Options of a run: sometimes a task that is to run in any case. */
  options(chain: readonly Step[]): string[] {
    const { name } = chain[this.below(chain.length)] as Step;
    return [[], [], [], ['--from', name], ['--refresh', name]][this.below(5)] as string[];
  }

  private step(): Step {
    this.names += 1;
    return { name: `s${this.names}`, script: this.script(), layer: this.below(2) === 0 };
  }

  private script(): string {
    const [a, b] = [this.file(), this.file()];
    const text = `text ${this.below(1000)}`;
    const scripts = [
      `echo ${text} >> ${a}`,
      `mkdir -p $(dirname ${a}) && echo ${text} > ${a}`,
      `mv -f ${a} ${b}`,
      `rm -rf ${a}`,
      `ln -sf ${a} ${b}`,
      `ln -f ${a} ${b}`,
      `chmod ${600 + this.below(78)} ${a}`,
      `chown ${this.below(9)}:${this.below(9)} ${a}`,
      `cat f? d/f? | md5sum > ${a}`,
      'cp -a d e && rm -rf d && mkdir d',
    ];
    // Whether it can be done depends on what was done before. That it was tried, and when, can be seen in any case.
    return `{ ${scripts[this.below(scripts.length)]}; } 2>/dev/null || true; echo ${text} >> log`;
  }

  private file(): string {
    return `${this.below(2) === 0 ? '' : 'd/'}f${this.below(4)}`;
  }

  private below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
}

const recipe = (chain: readonly Step[]) => `tasks:
  source: {uses: ec2.source_image, with: {filters: {name: base}, owners: [self]}}
  volume: {uses: ec2.volume, with: {snapshot_id: "{{ source.snapshot_id }}"}}
  disk: {uses: ec2.attachment, with: {volume: "{{ volume.id }}"}}
  root: {uses: mount, with: {device: "{{ disk.device }}"}}
  jail: {uses: chroot, with: {root: "{{ root.path }}", copy_files: [/etc/resolv.conf]}}
${chain.map(({ name, script, layer }) => `  ${name}: {in: jail, dir: /srv, ${layer ? 'cache: {layer: true}, ' : ''}run: '${script}'}\n`).join('')}  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: "next-{{ run.id }}", snapshot: "{{ snapshot.id }}"}}
outputs: {image_id: "{{ image.id }}"}
`;

/** What the scripts leave in a folder in which nothing was cached. */
function filesAfter(chain: readonly Step[], folder: string): Record<string, string> {
  const root = join(folder, 'clean');
  cpSync(join(folder, 'root'), root, { recursive: true, verbatimSymlinks: true });
  execFileSync('mkdir', ['-p', join(root, 'srv/d')]);
  for (const { script } of chain) execFileSync('chroot', [root, '/bin/sh', '-ec', `cd /srv; ${script}`], { stdio: 'ignore' });
  const found = filesIn(join(root, 'srv'));
  rmSync(root, { recursive: true });
  return found;
}

suite('random chains', (test) => {
  for (const seed of seeds) {
    test(`with random edits give what their scripts give without layers (seed ${seed})`, () =>
      withPool({}, async (folder) => {
        makeRoot(folder);
        await succeeding(folder, sourceImage('base', 'mkdir srv/d'));
        const chains = new Chains(seed);
        let chain = chains.first();
        let cached = 0;
        for (let edit = 0; edit < editsOfEach; edit += 1) {
          const args = chains.options(chain);
          const ran = await succeeding(folder, recipe(chain), ['--cache', ...args]);
          cached += ran.nodes.filter((node) => node.endsWith(' cached')).length;
          const files = Object.entries(filesOn(diskOfImage(folder, ran))).flatMap(([path, is]) =>
            path.startsWith('./srv') ? [[`.${path.slice(5)}`, is]] : [],
          );
          assert.equal(Object.fromEntries(files), filesAfter(chain, folder), `edit ${edit}: ${args.join(' ')}\n${recipe(chain)}`);
          chain = chains.edited(chain);
        }
        assert.ok(cached > 0, 'no task came from a layer');
      }));
  }
});
