import { createHmac } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { evaluate, type Facts } from '../../dsl/evaluate.js';
import { isHandle, makesDisk } from '../../dsl/plan/chains.js';
import { folderOf, type Module } from '../../dsl/recipe/module.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import { type Binding, bindingOf, tasksIn } from '../../dsl/resolve/names.js';
import { isSecret } from '../../dsl/resolve/scope_rules.js';
import { pathText, type Reference } from '../../dsl/syntax/template.js';
import { referencesIn, type Value } from '../../dsl/syntax/values.js';
import { archiveHash, describeTree, hashesOfPatterns } from '../../linux/file_hashes.js';

/** Something that decides what a task leaves on a volume, such as its script, an input or a file. */
export interface Ingredient {
  /** Its name for people, e.g. `input size`. */
  readonly name: string;
  /** A keyed hash of its value: equal in every run and in every include, and of no use to find a secret. */
  readonly hash: string;
  /** The value, if it is short and may be shown. */
  readonly shown?: string;
  /** Whether it is taken from when the task last ran, because it cannot be known before a run. */
  readonly assumed?: true;
  /** Whether it changes with any other ingredient of the same files, and is worth a word only if no other changed. */
  readonly isWhole?: true;
  /** The task whose way of being made it stands for. */
  readonly madeBy?: string;
}

/** Why it cannot be known what a task will leave on a volume. */
export class Unkeyable extends Error {}

/** What ingredients are found from. */
export interface IngredientSources {
  readonly tasks: ReadonlyMap<string, LinkedTask>;
  readonly facts: Facts;
  /** The keys of the tasks of the chain so far: an output of such a task is as its key says. */
  readonly keys: ReadonlyMap<string, string>;
  /** Whether a task has ended, so that its outputs are known. */
  hasEnded(task: string): boolean;
  /** What the content of the snapshot that a volume is made from is from, if that is known. */
  contentFor(volume: string): string | undefined;
  /** Whether a resource uses a volume of the chain. */
  isOnVolume(task: LinkedTask): boolean;
  /** How resources are made, as far as it was asked for. */
  readonly handles: Map<string, string>;
  /** The key of all hashes. */
  readonly hashKey: Buffer;
  /** Ingredients of the task when it last ran: they stand for values that are not known before a run. */
  readonly recorded: readonly Ingredient[];
}

/** Hash of some ingredients, in their order. The names of tasks do not count: they differ between two includes of one library. */
export function keyOf(before: string, ingredients: readonly Ingredient[], hashKey: Buffer): string {
  return hashed([before, ...ingredients.map(({ hash }) => hash)], hashKey);
}

/**
 * Everything that decides what a task leaves on a volume, except what was there before.
 * @throws Unkeyable when it cannot be known before the task runs.
 */
export function ingredientsOf(task: LinkedTask, sources: IngredientSources): Ingredient[] {
  const found = new Collector(sources, makesDisk(task));
  found.task(task);
  return found.ingredients;
}

/** How a resource is made; undefined when that cannot be known now. */
export function handleKey({ id }: LinkedTask, sources: IngredientSources): string | undefined {
  try {
    return new Collector(sources, true).handle(id).made;
  } catch (error) {
    if (error instanceof Unkeyable) return undefined;
    throw error;
  }
}

class Collector {
  readonly ingredients: Ingredient[] = [];
  private readonly open = new Set<Value>();
  /** Whether the files in the folder of the run do not matter: only scripts leave some there, or read them. */
  private ignoresRunFiles = true;

  constructor(
    private readonly sources: IngredientSources,
    /** Whether these are the ingredients of a resource, of which only the way matters in which it is made. */
    private readonly isHandle: boolean,
  ) {}

  task({ id, task, module, in: chroot, uses }: LinkedTask): void {
    const { action, freshness } = task;
    this.ignoresRunFiles = this.isHandle || action.type !== 'run' || action.reopen !== undefined;
    if (task.if !== undefined) this.value('if', task.if, module);
    if (chroot !== undefined) this.made('chroot', chroot, this.handle(chroot));
    if (action.type === 'kind') {
      const { name, content, contentOf, copies = [], deletesDisk: copiesDisk } = action.kind;
      this.add('kind', `${name} ${content}`, true);
      for (const [parameter, value] of action.with) {
        if (contentOf !== undefined && !contentOf.includes(parameter)) continue;
        if (copiesDisk && parameter === 'snapshot_id' && this.content(id, value, module)) continue;
        this.value(`with.${parameter}`, value, module, true);
        if (copies.includes(parameter)) this.files(value, module);
      }
    } else if (action.type === 'run') {
      this.value('script', action.script, module);
      this.add('shell', action.shell ?? null);
      if (action.dir !== undefined) this.value('dir', action.dir, module);
      const env = new Map([...module.recipe.env, ...action.env]);
      for (const [name, value] of env) this.value(`env ${name}`, value, module);
      this.add('outputs', [...action.outputs]);
    }
    for (const value of [...(freshness?.generates ?? []), ...(freshness?.status ?? [])]) this.value('status', value, module);
    this.patterns(freshness?.sources ?? [], module);
    this.needed(uses);
  }

  private add(name: string, value: unknown, isShown = false, hashedValue = value): void {
    if (this.ingredients.length >= mostIngredients) throw new Unkeyable(`it reads more than ${mostIngredients} values`);
    const shown = JSON.stringify(value ?? null);
    const hash = hashed(hashedValue ?? null, this.sources.hashKey);
    this.ingredients.push({ name, hash, ...(isShown && shown.length <= longestShown ? { shown } : {}) });
  }

  /** Something that is as a task makes it. */
  private made(name: string, madeBy: string, value: unknown): void {
    this.ingredients.push({ name, hash: hashed(value, this.sources.hashKey), madeBy });
  }

  /** A resource on the volume may decide what a task leaves, even if the task only needs it: such as a mount in another one. */
  private needed(uses: ReadonlySet<string>): void {
    const { tasks, keys } = this.sources;
    const named = new Set(this.ingredients.map(({ madeBy = '' }) => madeBy));
    // How a resource is made includes what it uses.
    for (const id of named) if (tasks.get(id)?.lifetime === 'resource') for (const each of tasks.get(id)?.uses ?? []) named.add(each);
    for (const id of uses) {
      const other = tasks.get(id);
      if (other === undefined || named.has(id) || keys.has(id) || !isHandle(other) || !this.sources.isOnVolume(other)) continue;
      this.made(`resource ${id}`, id, this.handle(id));
    }
  }

  /** A value as written, then the values of what it refers to. */
  private value(name: string, value: Value, module: Module, isShown = false): void {
    const text = written(value);
    // With its name: the same value may be that of another parameter or variable.
    this.add(name, text, isShown && value.type === 'literal', [name, text]);
    for (const reference of referencesIn(value)) this.reference(reference, module);
  }

  private reference(reference: Reference, module: Module): void {
    const binding = bindingOf(reference, module);
    if (binding.type === 'unresolved') throw new Unkeyable(binding.message);
    const name = pathText(reference.path);
    switch (binding.type) {
      case 'run':
        return this.runFact(binding);
      case 'env':
        return this.environment(binding);
      case 'input': {
        const declared = binding.module.recipe.inputs.get(binding.name);
        const value = binding.module.parent === undefined ? this.sources.facts.inputs.get(binding.name) : declared?.default;
        return this.add(`input ${binding.name}`, value, !declared?.secret);
      }
      case 'expression':
        return this.value(name, binding.value, binding.module, !isSecret(binding));
      case 'var':
        if (!binding.variable.sh) return this.value(`variable ${binding.name}`, binding.variable.value, binding.module);
        return this.command(binding);
      case 'matrix':
        return this.add(name, binding.value);
      case 'task':
        for (const id of binding.ids) this.output(id, binding);
    }
  }

  private runFact({ fact }: Extract<Binding, { type: 'run' }>): void {
    if (fact === 'arguments') return this.add('run.arguments', this.sources.facts.run.arguments);
    // Like the path of a mount, the folder of the run is no part of what a task leaves on a volume.
    if (fact === 'dir' && this.ignoresRunFiles) return this.add('run.dir', { fact });
    if (fact === 'dir') throw new Unkeyable('it reads run.dir, whose files are in no layer');
    if (!this.isHandle) throw new Unkeyable(`it reads run.${fact}, which differs in every run`);
  }

  private command({ module, name }: Extract<Binding, { type: 'var' }>): void {
    const output = this.sources.facts.commandOutput(module, name);
    if (output === undefined) this.assume(`variable ${name}`);
    else this.add(`variable ${name}`, output);
  }

  private environment({ module, name }: Extract<Binding, { type: 'env' }>): void {
    const declared = module.recipe.env.get(name);
    // A variable that is built from itself means that of the program, and a variable of the recipe is an ingredient already.
    if (declared === undefined || this.open.has(declared)) return this.add(`environment variable ${name}`, this.sources.facts.environment(name));
    this.open.add(declared);
    this.value(`env ${name}`, declared, module);
    this.open.delete(declared);
  }

  /** An output of a task: by the key of a task of the chain, by how a resource is made, otherwise by its value. */
  private output(id: string, { output, rest }: Extract<Binding, { type: 'task' }>): void {
    const { sources } = this;
    const other = sources.tasks.get(id);
    const name = `${[id, output, ...rest].join('.')}`;
    const key = sources.keys.get(id);
    if (key !== undefined) return this.made(name, id, { key, output });
    if (other !== undefined && (isHandle(other) || this.sources.isOnVolume(other))) return this.made(name, id, { ...this.handle(id), output });
    if (sources.hasEnded(id)) return this.add(name, sources.facts.output(id, output));
    this.assume(name);
  }

  /** A snapshot by the work that its content is from: another one may have the same. @returns whether that is known. */
  private content(volume: string, value: Value, module: Module): boolean {
    const { sources } = this;
    const name = 'the content of the snapshot';
    const content = sources.contentFor(volume);
    if (content !== undefined) this.add(name, content);
    else if (!isRecorded(name, sources) || tasksIn(value, module).every(({ id }) => sources.hasEnded(id))) return false;
    else this.assume(name);
    return true;
  }

  /** Takes the value that something had when the task last ran. */
  private assume(name: string): void {
    const last = this.sources.recorded.find((each) => each.name === name);
    if (last === undefined) throw new Unkeyable(`it uses ${name}, which is not known before the volume is made`);
    this.ingredients.push({ ...last, assumed: true });
  }

  /** How a resource is made. */
  handle(id: string): { readonly made: string } {
    const task = this.sources.tasks.get(id);
    const key = this.sources.keys.get(id);
    if (key !== undefined || task === undefined) return { made: key ?? id };
    const { handles, hashKey } = this.sources;
    let made = handles.get(id);
    if (made === undefined) {
      const inner = new Collector(this.sources, true);
      inner.task(task);
      made = keyOf('', inner.ingredients, hashKey);
      handles.set(id, made);
    }
    return { made };
  }

  /** The content of a file or folder of the host. */
  private files(value: Value, module: Module): void {
    const path = resolve(folderOf(module), String(this.plain(value, module)));
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) throw new Unkeyable(`${path} does not exist`);
    const found = Object.entries(describeTree(path));
    this.ingredients.push({ name: `an extended attribute in ${path}`, hash: hashed(archiveHash(path), this.sources.hashKey), isWhole: true });
    if (found.length > mostFiles) return this.add(path, found);
    for (const [file, is] of found) this.add(join(path, file), [file, is]);
  }

  private patterns(values: readonly Value[], module: Module): void {
    const patterns = values.map((value) => String(this.plain(value, module)));
    for (const [file, hash] of Object.entries(hashesOfPatterns(patterns, folderOf(module)))) this.add(file, [file, hash]);
  }

  /** A value that must be known now, because a file is named by it. */
  private plain(value: Value, module: Module): unknown {
    const { keys, tasks, facts } = this.sources;
    const late = tasksIn(value, module).find(({ id }) => keys.has(id) || tasks.get(id)?.lifetime === 'resource');
    if (late !== undefined) throw new Unkeyable(`it reads a file whose path depends on "${late.id}"`);
    return evaluate(value, module, facts);
  }
}

/** Files of a larger folder are not told apart. */
const mostFiles = 500;
/** A task that reads more values is not cached: names that stand for names can multiply. */
const mostIngredients = 5_000;
/** Longer values are not shown. */
const longestShown = 80;

function isRecorded(name: string, { recorded }: IngredientSources): boolean {
  return recorded.some((each) => each.name === name);
}

/** A value as written in the recipe. */
function written(value: Value): unknown {
  switch (value.type) {
    case 'literal':
      return value.value;
    case 'list':
      return value.items.map(written);
    case 'map':
      return [...value.entries].map(([name, entry]) => [name, written(entry)]);
    case 'template':
      return { template: value.template.text };
  }
}

function hashed(value: unknown, hashKey: Buffer): string {
  return createHmac('sha256', hashKey).update(JSON.stringify(value)).digest('hex');
}
