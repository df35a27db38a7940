import { seal } from '../../dsl/evaluate.js';
import { shellFor } from '../../dsl/recipe/script_shell.js';
import type { RunAction } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Value } from '../../dsl/syntax/values.js';
import type { Script } from '../../linux/sandboxed_script.js';
import type { EvaluationContext } from './evaluation_context.js';
import { once, PreparedTask } from './prepared_task.js';
import type { RenderedUndo, ScriptNote } from './script_undo.js';

/** A task with a script about to run. */
export class PreparedScript extends PreparedTask {
  constructor(
    linked: LinkedTask,
    facts: EvaluationContext,
    readonly action: RunAction,
  ) {
    super(linked, facts);
  }

  readonly script = once(() => this.scriptOf(this.action.script));

  /** For a resource whose content is on the volume already. */
  readonly reopen = once(() => this.scriptOf(this.action.reopen ?? this.action.script));

  private scriptOf(value: Value): Omit<Script, 'signal' | 'onLines'> {
    const text = this.text(value);
    return {
      ...this.place(),
      text,
      shell: shellFor(this.action.shell, text),
      keepsMounts: this.keepsMounts(),
      timeoutMs: this.linked.task.timeoutMs,
      interactive: this.action.interactive,
    };
  }

  /** What its undo needs. The script is rendered now, because the recipe may have changed when undo runs. */
  readonly undo = once((): { readonly rendered: RenderedUndo; readonly note: ScriptNote } | undefined => {
    const { undo, env, shell } = this.action;
    if (undo === undefined) return undefined;
    const { module } = this.linked;
    const sealed = (value: Value) => seal(value, module, this.facts);
    const { env: rendered, ...place } = this.place();
    return {
      rendered: { text: this.text(undo.script), env: rendered },
      note: {
        script: sealed(undo.script),
        env: Object.fromEntries([...module.recipe.env, ...env].map(([name, value]) => [name, sealed(value)])),
        shell,
        ...place,
        keepsMounts: this.keepsMounts(),
      },
    };
  });

  /** What determines whether it is up to date: file patterns and commands. */
  readonly sources = once(() => this.patterns(this.linked.task.freshness?.sources));
  readonly generates = once(() => this.patterns(this.linked.task.freshness?.generates));
  readonly status = once(() => (this.linked.task.freshness?.status ?? []).map((command) => once(() => this.text(command))));

  private patterns(values: readonly Value[] = []): string[] {
    return values.map((value) => String(this.value(value)));
  }

  /** A resource on the host may mount something for the tasks that use it. In a chroot, mounts end with the script. */
  private keepsMounts(): boolean {
    return this.action.undo?.when === 'always' && this.root() === undefined;
  }
}
