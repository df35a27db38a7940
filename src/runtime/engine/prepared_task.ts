import { resolve } from 'node:path';
import { evaluate } from '../../dsl/evaluate.js';
import { folderOf } from '../../dsl/recipe/module.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Value } from '../../dsl/syntax/values.js';
import type { ShellPlace } from '../../linux/interactive_shell.js';
import type { EvaluationContext } from './evaluation_context.js';
import { baseEnvironment, definedOf } from './script_environment.js';

/**
 * A task about to run, with its expressions evaluated. Nothing else evaluates them. Each part is evaluated once, when
 * it is first needed: a task that is skipped, up to date, or stopped by a precondition does not need the values that
 * only its script or kind reads. Each part is valid for every attempt, because the values that expressions read
 * (inputs, facts of the run, outputs of earlier tasks) do not change while the task runs.
 */
export class PreparedTask {
  /** Whether its script or one of its checks registered a secret. */
  hasMasked = false;

  constructor(
    readonly linked: LinkedTask,
    protected readonly facts: EvaluationContext,
  ) {}

  get id(): string {
    return this.linked.id;
  }

  readonly onMask = () => {
    this.hasMasked = true;
  };

  /** Whether its `if` condition is true. */
  readonly condition = once((): boolean => {
    const written = this.linked.task.if;
    if (written === undefined) return true;
    const value = this.value(written);
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw new Error(`"if" must render to true or false, not ${JSON.stringify(value)}`);
  });

  /** The root of the chroot it runs in; undefined on the host. */
  readonly root = once((): string | undefined => {
    const { in: chroot } = this.linked;
    if (chroot === undefined) return undefined;
    const root = this.facts.output(chroot, 'path');
    if (typeof root !== 'string') throw new Error(`task "${chroot}", named by "in", was skipped or failed`);
    return root;
  });

  /** The variables of the recipe's `env`, then those of the task. The later of two with the same name wins. */
  readonly variables = once((): (readonly [string, unknown])[] => {
    const { task, module } = this.linked;
    const own = task.action.type === 'run' ? task.action.env : [];
    return [...module.recipe.env, ...own].map(([name, value]) => [name, this.value(value)]);
  });

  /** Where it runs, and its environment. */
  readonly place = once((): ShellPlace => {
    const { in: chroot } = this.linked;
    const root = this.root();
    return {
      env: this.environment(root !== undefined),
      dir: this.dir(root !== undefined),
      root,
      privileged: chroot !== undefined && this.facts.output(chroot, 'privileged') === true,
    };
  });

  /** Commands that must succeed before it runs, and the messages for their failures. They run in order, so each can rely on those before it. */
  readonly preconditions = once(() =>
    this.linked.task.preconditions.map(({ sh, message }) => ({
      command: once(() => this.text(sh)),
      message: message && once(() => String(this.value(message))),
    })),
  );

  /** Where to open a debug shell for it: on the host if its own place cannot be evaluated. */
  shellPlace(): ShellPlace {
    try {
      return this.place();
    } catch {
      return { env: definedOf(this.facts.variables), dir: folderOf(this.linked.module), root: undefined, privileged: false };
    }
  }

  protected value(value: Value): unknown {
    return evaluate(value, this.linked.module, this.facts);
  }

  protected text(value: Value): string {
    return String(this.value(value) ?? '');
  }

  private environment(inChroot: boolean): Record<string, string> {
    const env = baseEnvironment(this.facts.variables, inChroot);
    for (const [name, value] of this.variables()) {
      if (typeof value === 'object' && value !== null)
        throw new Error(`"env.${name}" is a ${Array.isArray(value) ? 'list' : 'map'}; use "json"${Array.isArray(value) ? ' or "join"' : ''}`);
      if (value !== null && value !== undefined) env[name] = String(value);
    }
    return env;
  }

  private dir(inChroot: boolean): string {
    const { task, module } = this.linked;
    const named = task.action.type === 'run' ? task.action.dir : undefined;
    const dir = named === undefined ? undefined : this.text(named);
    return inChroot ? (dir ?? '/') : resolve(folderOf(module), dir ?? '.');
  }
}

/** Memoizes a function without arguments. If the function throws, the next call runs it again. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
