import { cycleDiagnostic } from '../diagnostics/cycle.js';
import { type Diagnostic, RecipeError } from '../diagnostics/diagnostic.js';
import { cycleIn } from '../plan/graph.js';
import { type Instance, type Module, taskId } from '../recipe/module.js';
import type { Name, Task } from '../recipe/types.js';
import { taskPattern } from '../syntax/lexical.js';
import { limits, limitText } from '../syntax/limits.js';
import type { Span } from '../syntax/source.js';
import { type Place, referencesIn, type Value } from '../syntax/values.js';
import { chrootNamed } from './chroot_reference.js';
import { expandMatrices, type KnownBefore, seenBy, unfitValues } from './matrix.js';
import { lifetimeOf, taskNamed, tasksIn } from './names.js';
import { checkValue, type KnownTraits } from './scope_rules.js';

/** A task among all tasks of a recipe and its libraries, with its names resolved; one instance of it if it has a matrix. */
export interface LinkedTask {
  readonly id: string;
  /** Where its names are looked up: its module, as this instance sees it. */
  readonly module: Module;
  readonly task: Task;
  readonly lifetime: 'step' | 'resource';
  /** The id of the chroot task it runs in. */
  readonly in?: string | undefined;
  /** The tasks it names, in the order written. */
  readonly links: readonly Link[];
  /** The resources that stay until it ends: those it names, and those that these use. */
  readonly uses: ReadonlySet<string>;
  /** Resources named in a parameter its kind freezes. */
  readonly freezes: readonly { readonly resource: string; readonly parameter: string; readonly span: Span }[];
  /** Place in the written order of all tasks: libraries first, each file from its top. */
  readonly rank: number;
  /** The task that it is an instance of, and how many of its instances may run at the same time. */
  readonly siblings?: { readonly of: string; readonly limit: number } | undefined;
}

/** A reference from one task to another. */
export interface Link {
  readonly to: string;
  /** Whether it waits for the release of the other task instead of its end. */
  readonly released: boolean;
  /** E.g. `needs root`, `refers to volume.id`. */
  readonly because: string;
  readonly span: Span;
}

/**
 * Resolves every name in a recipe and its libraries.
 * @param found the errors found before; the search for more continues.
 * @param known what the plan may know before the run.
 * @throws RecipeError with all errors, or with a cycle if there is one.
 */
export function linkModule(root: Module, found: readonly Diagnostic[], known: KnownBefore): ReadonlyMap<string, LinkedTask> {
  const linker = new Linker(known, [...found]);
  expandMatrices(root, known, linker.diagnostics);
  linker.module(root);
  linker.addReverseLinks();
  if (linker.diagnostics.length > 0) throw new RecipeError(linker.diagnostics);
  linker.checkCycles();
  return linker.tasks();
}

interface Draft {
  readonly module: Module;
  readonly task: Task;
  readonly links: Link[];
  in?: string;
  freezes: { resource: string; parameter: string; span: Span }[];
}

class Linker {
  private readonly drafts = new Map<string, Draft>();
  private readonly traits: KnownTraits = new Map();
  /** The number of names looked up, of tasks they mean, and of resources these use. */
  private names = 0;
  private readonly reverse: { readonly id: string; readonly name: Name; readonly module: Module }[] = [];

  constructor(
    private readonly known: KnownBefore,
    readonly diagnostics: Diagnostic[],
  ) {}

  private readonly hasEnv = (name: string) => this.known.environment(name) !== undefined;

  module(module: Module): void {
    for (const child of module.children.values()) this.module(child);
    this.diagnostics.push(...unfitValues(module, this.known));
    const { recipe } = module;
    const early = { tasks: false, secrets: true };
    for (const variable of recipe.vars.values()) this.check(variable.value, module, { ...early, place: '"vars"' });
    for (const [name, value] of recipe.env) {
      this.check(value, module, { ...early, place: 'the "env" of a recipe' }, (other) => this.hasEnv(other) || (other !== name && recipe.env.has(other)));
    }
    for (const include of recipe.includes.values()) {
      for (const value of include.with.values()) this.check(value, module, { tasks: true, secrets: true, place: '"with"' });
    }
    for (const value of recipe.outputs.values()) {
      this.check(value, module, { tasks: true, secrets: module.parent !== undefined, place: 'an output of the recipe' });
      this.count(tasksIn(value, module).length, value);
    }
    for (const task of recipe.tasks.values()) {
      const before = this.diagnostics.length;
      for (const instance of module.instances.get(task.name) ?? [undefined]) {
        this.task(module, task, instance);
        if (this.diagnostics.length > before + limits.errorsOfInstances) break;
      }
      if (this.diagnostics.length >= limits.errors) this.stop(`stopped after ${limitText(limits.errors)} errors`, task);
    }
    for (const goal of recipe.goals?.filter(isTaskName) ?? []) {
      const found = taskNamed(goal.name, module);
      if (found.type === 'unresolved') this.diagnostics.push({ ...found, span: spanOf(goal) });
      else if (found.released)
        this.diagnostics.push({ code: 'goal', message: `"${goal.name}" is a release, not a task`, span: spanOf(goal), help: nameTheTask(goal.name) });
    }
  }

  private task(owner: Module, task: Task, instance: Instance | undefined): void {
    const id = taskId(owner, task.name, instance);
    const module = seenBy(owner, instance);
    const draft: Draft = { module, task, links: [], freezes: [] };
    this.drafts.set(id, draft);
    if (this.drafts.size > limits.tasks) this.stop(`a recipe has at most ${limitText(limits.tasks)} tasks, instances counted`, task);
    for (const need of task.needs) this.named(draft, need, 'needs');
    if (task.in !== undefined) this.linkIn(draft, task.in);
    for (const name of task.before) this.reverse.push({ id, name, module });
    const use = (value: Value | undefined, secrets: boolean, place: string) => {
      if (value === undefined) return;
      this.check(value, module, { tasks: true, secrets, place });
      const before = draft.links.length;
      for (const found of tasksIn(value, module)) {
        draft.links.push({ to: found.id, released: false, because: `refers to ${found.text}`, span: found.span });
      }
      this.count(draft.links.length - before, task);
    };
    use(task.if, false, '"if"');
    this.condition(task.if);
    for (const { sh, message } of task.preconditions) {
      use(sh, true, '"preconditions"');
      use(message, false, 'a message');
    }
    const { action, freshness } = task;
    for (const value of [...(freshness?.sources ?? []), ...(freshness?.generates ?? [])]) use(value, false, 'a pattern');
    for (const value of freshness?.status ?? []) use(value, true, '"status"');
    if (action.type === 'kind') {
      for (const [parameter, value] of action.with) {
        use(value, false, `"with" of a built-in kind`);
        if (!action.kind.freezes?.includes(parameter)) continue;
        for (const found of tasksIn(value, module)) {
          if (lifetimeOf(found.task) === 'resource') draft.freezes.push({ resource: found.id, parameter, span: found.span });
        }
      }
    } else if (action.type === 'run') {
      use(action.script, true, '"run"');
      use(action.dir, false, '"dir"');
      use(action.undo?.script, true, '"undo"');
      use(action.reopen, true, '"reopen"');
      for (const value of action.env.values()) use(value, true, '"env"');
    }
  }

  private condition(value: Value | undefined): void {
    if (value?.type !== 'template' || value.template.single || value.template.text.startsWith('{{#')) return;
    const message = '"if" must be true, false, or a single expression that gives one of them';
    const help = 'compare inside the braces: {{ eq inputs.a "x" }}';
    this.diagnostics.push({ code: 'type', message, span: value.at.document.spanOf(value.at.pointer), help });
  }

  private named(draft: Draft, name: Name, key: string): void {
    if (!isTaskName(name)) return;
    const found = taskNamed(name.name, draft.module);
    if (found.type === 'unresolved') this.diagnostics.push({ ...found, span: spanOf(name) });
    else {
      const [because, span] = [`${key} ${name.name}`, spanOf(name)];
      for (const to of found.ids) draft.links.push({ to, released: found.released, because, span });
      this.count(found.ids.length, draft.task);
    }
  }

  private linkIn(draft: Draft, name: Name): void {
    if (!isTaskName(name)) return;
    const found = chrootNamed(name.name, draft.module);
    const span = spanOf(name);
    if (found.type === 'unresolved') {
      this.diagnostics.push({ ...found, span: found.span ?? span });
      return;
    }
    // A library that is not included: only an including recipe can set the chroot.
    if (found.type === 'open') return;
    draft.in = found.id;
    draft.links.push({ to: found.id, released: false, because: `runs in ${found.id}`, span });
  }

  addReverseLinks(): void {
    for (const { id, name, module } of this.reverse.filter((each) => isTaskName(each.name))) {
      const found = taskNamed(name.name, module);
      const span = spanOf(name);
      if (found.type === 'unresolved') this.diagnostics.push({ ...found, span });
      else if (found.released) {
        const help = `a resource is released after the tasks that need it: needs: [${name.name.replace(/\.released$/, '')}]`;
        this.diagnostics.push({ code: 'release', message: '"before" names tasks, not releases', span, help });
      } else {
        const because = `"${id}" has before: ${name.name}`;
        for (const to of found.ids) this.drafts.get(to)?.links.push({ to: id, released: false, because, span });
        this.count(found.ids.length, name);
      }
    }
  }

  checkCycles(): void {
    const graph = new Map([...this.drafts].map(([id, draft]) => [id, draft.links.filter((link) => !link.released).map((link) => link.to)]));
    const cycle = cycleIn(graph);
    if (cycle === undefined) return;
    throw new RecipeError([cycleDiagnostic(cycle, (from, to) => this.drafts.get(from)?.links.find((link) => link.to === to && !link.released))]);
  }

  tasks(): Map<string, LinkedTask> {
    const usedResources = new Map<string, ReadonlySet<string>>();
    const uses = (start: string): ReadonlySet<string> => {
      // Without recursion: a chain of resources may be long.
      const stack = [start];
      while (stack.length > 0) {
        const id = stack.at(-1) as string;
        const resources = this.resourcesNamedBy(id);
        const open = resources.filter((resource) => !usedResources.has(resource));
        if (open.length > 0) for (const resource of open) stack.push(resource);
        else {
          const all = new Set(resources);
          for (const resource of resources) for (const under of usedResources.get(resource) ?? []) all.add(under);
          this.count(all.size, this.drafts.get(id)?.task as Task);
          usedResources.set(id, all);
          stack.pop();
        }
      }
      return usedResources.get(start) ?? new Set();
    };
    return new Map(
      [...this.drafts].map(([id, draft], rank) => [
        id,
        {
          id,
          module: draft.module,
          task: draft.task,
          lifetime: lifetimeOf(draft.task),
          in: draft.in,
          links: draft.links,
          uses: uses(id),
          freezes: draft.freezes,
          rank,
          siblings: siblingsOf(draft),
        },
      ]),
    );
  }

  private resourcesNamedBy(id: string): string[] {
    const links = this.drafts.get(id)?.links.filter((link) => !link.released) ?? [];
    return links.map((link) => link.to).filter((to) => lifetimeOf(this.drafts.get(to)?.task as Task) === 'resource');
  }

  private check(value: Value, module: Module, allowed: { tasks: boolean; secrets: boolean; place: string }, hasEnv = this.hasEnvIn(module)): void {
    const { length } = referencesIn(value);
    if (length === 0) return;
    this.count(length, value);
    checkValue(value, module, allowed, hasEnv, this.diagnostics, this.traits);
  }

  private count(names: number, where: { readonly at: Place }): void {
    this.names += names;
    if (this.names > limits.names) this.stop(`the tasks have more than ${limitText(limits.names)} names in all, instances counted`, where);
  }

  /** Stops checking a recipe that exceeds a limit, with the errors found so far. */
  private stop(message: string, { at }: { readonly at: Place }): never {
    throw new RecipeError([...this.diagnostics, { code: 'limit', message, span: at.document.keySpanOf(at.pointer) }]);
  }

  private hasEnvIn(module: Module): (name: string) => boolean {
    return (name) => module.recipe.env.has(name) || this.hasEnv(name);
  }
}

function siblingsOf({ module, task }: Draft): LinkedTask['siblings'] {
  const limit = task.strategy?.maxParallel;
  return limit === undefined ? undefined : { of: taskId(module, task.name), limit };
}

/** The schema reported anything that cannot be the name of a task. */
function isTaskName({ name }: Name): boolean {
  return new RegExp(taskPattern).test(name);
}

/** Help for a release where a task is expected. */
export function nameTheTask(release: string): string {
  return `name the task: ${release.replace(/\.released$/, '')}`;
}

function spanOf(name: Name): Span {
  return name.at.document.spanOf(name.at.pointer);
}
