import { messagesOf } from '../../dsl/diagnostics/schema_errors.js';
import { nullOutputsIn } from '../../dsl/evaluate.js';
import type { Language } from '../../dsl/recipe/kind.js';
import type { Action } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { EvaluationContext } from './evaluation_context.js';
import type { AnyKind } from './kind.js';
import { once, PreparedTask } from './prepared_task.js';

/** A task of a built-in kind about to run. */
export class PreparedKind extends PreparedTask {
  constructor(
    linked: LinkedTask,
    facts: EvaluationContext,
    private readonly written: Extract<Action, { type: 'kind' }>['with'],
    readonly kind: AnyKind,
    private readonly language: Language,
  ) {
    super(linked, facts);
  }

  /** Its parameters: checked, with defaults filled in. */
  readonly parameters = once((): Record<string, unknown> => {
    const parameters: Record<string, unknown> = {};
    for (const [name, value] of this.written) {
      const rendered = withoutNulls(this.value(value));
      if (rendered !== null) parameters[name] = rendered;
      else if (this.kind.params.required?.includes(name)) {
        const [skipped] = nullOutputsIn(value, this.linked.module, this.facts);
        throw new Error(`"${name}" has no value${skipped === undefined ? '' : `: task "${skipped}" was skipped or failed`}`);
      }
    }
    const errors = messagesOf(this.language.validateParams(this.kind.name, parameters));
    if (errors.length > 0) throw new Error(errors.join('; '));
    return parameters;
  });
}

/** Removes nulls at every depth, because null means that a parameter is not set. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null && inner !== undefined)
      .map(([name, inner]) => [name, withoutNulls(inner)]),
  );
}
