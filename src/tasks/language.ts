import type { Language, SchemaError } from '../dsl/recipe/kind.js';
import { kinds } from './index.js';
import { validatorFor } from './validators.js';

/** The language with all its kinds. */
export const language: Language = {
  kinds: new Map(kinds.map((kind) => [kind.name, kind])),
  validateRecipe: (value) => faultsOf('recipe', value),
  validateParams: (kind, value) => faultsOf(kind, value),
};

function faultsOf(name: string, value: unknown): readonly SchemaError[] {
  const validate = validatorFor(name);
  return validate(value) ? [] : ((validate.errors ?? []) as readonly SchemaError[]);
}
